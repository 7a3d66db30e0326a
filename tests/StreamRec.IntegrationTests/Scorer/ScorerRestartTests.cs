using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.IntegrationTests.Scorer;

/// <summary>Stops, starts, pauses and swaps in the middle of a stream.</summary>
public sealed class ScorerRestartTests(Servers servers)
{
    private const long Day = 1_700_000_000_000;

    [Fact]
    public async Task A_restart_in_the_middle_loses_no_event_and_no_request()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        for (var i = 0; i < 50; i++)
            await scorer.InteractAsync("first" + i, "u" + (i % 10), "i" + i, Day + i);
        await scorer.UntilAsync("some lists are out", () => scorer.Worker.Stats.Lists > 5);
        await scorer.StopAsync();
        var scoredBefore = scorer.Worker.Stats.Scored; // the last of the fifty may not have been read yet
        for (var i = 0; i < 50; i++)
            await scorer.InteractAsync("second" + i, "u" + (i % 10), "j" + i, Day + 1000 + i);
        for (var i = 0; i < 10; i++)
            await scorer.RequestAsync(new RecommendationRequest { RequestId = "r" + i, UserId = "u" + i, K = 100 });

        await scorer.StartAsync(); // Postgres knows nothing: the whole log is read again, what was scored before is not scored again
        await scorer.UntilAsync("all 100 events are in the graph", () => scorer.Worker.Stats.Applied == 100);
        await scorer.UntilAsync("every event is scored", () => scoredBefore + scorer.Worker.Stats.Scored >= 100);
        for (var i = 0; i < 10; i++)
        {
            var user = "u" + i;
            var list = scorer.UntilList(
                $"the newest list of {user}",
                l => l.UserId == user && l.Items.All(item => item.ItemId != "j" + (40 + i)) && l.CausedBy!.Offset >= 0);
            Assert.NotNull(list);
            scorer.UntilList($"the answer to r{i}", l => l.RequestId == "r" + i);
        }

        await scorer.StopAsync();
        Assert.Equal(100, scoredBefore + scorer.Worker.Stats.Scored);
        Assert.Equal(10, scorer.Worker.Stats.RequestLists);
    }

    [Fact]
    public async Task What_the_snapshot_holds_is_not_applied_again_and_still_scored()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        var partitions = new Dictionary<int, List<(Interaction Event, long Offset)>>();
        for (var i = 0; i < 20; i++)
        {
            var (eventId, user, item) = ("e" + i, "u" + (i % 4), "i" + i);
            var sent = await scorer.SendAsync(
                scorer.Topics.Interactions, user,
                $$"""{"event_id":"{{eventId}}","user_id":"{{user}}","item_id":"{{item}}","type":"like","time":{{Day + i}}}""");
            if (i < 10)
            {
                if (!partitions.TryGetValue(sent.Partition.Value, out var rows))
                    partitions.Add(sent.Partition.Value, rows = []);
                rows.Add((new Interaction(EventIds.Hash(eventId), user, item, 3, float.NaN, Day + i), sent.Offset.Value));
            }
        }

        foreach (var (partition, rows) in partitions)
            await StoreAsync(scorer, partition, rows);
        await scorer.StartAsync();
        await scorer.UntilAsync("every event was scored", () => scorer.Worker.Stats.Scored == 20);
        Assert.Equal(10, scorer.Worker.Stats.Applied);
        Assert.Equal(10, scorer.Worker.Stats.Prequential.Served.N); // the snapshot's ten cannot be tested any more
        for (var i = 0; i < 4; i++)
        {
            var user = "u" + i;
            scorer.UntilList("a list of " + user, l => l.UserId == user);
        }
    }

    [Fact]
    public async Task A_model_swap_in_mid_stream_changes_the_version_and_no_list_mixes_two()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync(o => o with { ModelPoll = TimeSpan.FromMinutes(10) });
        await scorer.InteractAsync("0", "me", "a", Day);
        Assert.Equal(0, scorer.UntilList("a list without model", l => l.UserId == "me").ModelVersion);

        var first = await scorer.PromoteModelAsync(("x", "a"), ("x", "only-in-model"), ("y", "a"), ("y", "only-in-model"), ("z", "b"));
        scorer.Worker.PollModelsNow();
        await scorer.UntilAsync("the first model serves", () => scorer.Worker.Stats.ModelVersion == first);
        await scorer.InteractAsync("1", "me", "new-item", Day + 1000);
        var list = scorer.UntilList("a list of the first model", l => l.ModelVersion == first && l.UserId == "me");
        Assert.Equal("only-in-model", list.Items[0].ItemId);
        Assert.Equal("itemknn", list.Items[0].Channel);
        Assert.Equal(["a"], list.Items[0].Evidence);
        Assert.Equal("because of a", list.Items[0].Reason);

        await scorer.InteractAsync("2", "other", "born-later", Day + 1500);
        await scorer.UntilAsync("the first model tested it", () => scorer.Worker.Stats.Applied == 3);
        var second = await scorer.PromoteModelAsync(("x", "new-item"), ("x", "b"), ("y", "new-item"), ("y", "b"));
        scorer.Worker.PollModelsNow();
        await scorer.UntilAsync("the second model serves", () => scorer.Worker.Stats.ModelVersion == second);
        await scorer.InteractAsync("3", "me", "c", Day + 2000);
        list = scorer.UntilList("a list of the second model", l => l.ModelVersion == second && l.UserId == "me");
        Assert.Equal("b", list.Items[0].ItemId);
        Assert.Contains("born-later", list.Items.Select(i => i.ItemId)); // in no model: popularity knows it
        Assert.Equal(2, scorer.Worker.Stats.ModelSwaps);
        Assert.Equal([0, first], scorer.Worker.Stats.Prequential.ByModel.Select(m => m.Version));
    }

    [Fact]
    public async Task Two_instances_share_the_scoring_and_each_holds_the_whole_graph()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        await scorer.InteractAsync("before", "u0", "i0", Day);
        scorer.UntilList("the first instance works", l => l.UserId == "u0");

        using var second = scorer.NewWorker();
        using var stop = new CancellationTokenSource();
        var run = second.RunAsync(stop.Token);
        await scorer.UntilAsync("each owns partitions", () => second.AssignedPartitions > 0 && scorer.Worker.AssignedPartitions is > 0 and < 16);
        for (var i = 1; i < 80; i++)
            await scorer.InteractAsync("e" + i, "u" + (i % 20), "i" + i, Day + i);
        await scorer.UntilAsync("both have every edge", () => scorer.Worker.Stats.Applied == 80 && second.Stats.Applied == 80);
        await scorer.UntilAsync("each event has its list", () => scorer.Worker.Stats.Lists + second.Stats.Lists == 80);
        Assert.True(second.Stats.Scored > 0, "the second instance scores nothing");
        Assert.Equal(80, scorer.Worker.Stats.Scored + second.Stats.Scored);

        await scorer.StopAsync(); // the rest falls to the second one, which has the graph already
        await scorer.UntilAsync("the second owns everything", () => second.AssignedPartitions == 16);
        await scorer.InteractAsync("after", "u0", "i-last", Day + 1000);
        var list = scorer.UntilList(
            "the list after the hand-over",
            l => l.UserId == "u0" && l.Items.Count > 0
                && l.Items.All(i => i.ItemId != "i-last") && l.CausedBy!.Offset > 0);
        Assert.NotNull(list);
        await scorer.UntilAsync("it is applied", () => second.Stats.Applied == 81);
        await stop.CancelAsync();
        await run;
    }

    [Fact]
    public async Task While_paused_nothing_is_consumed_and_afterwards_everything()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        await scorer.InteractAsync("0", "u", "a", Day);
        scorer.UntilList("running", l => l.UserId == "u");
        scorer.Worker.Paused = true;
        await scorer.UntilAsync("it is paused", () => scorer.Worker.IsPaused);
        var applied = scorer.Worker.Stats.Applied;
        await scorer.RequestAsync(new RecommendationRequest { RequestId = "waits", UserId = "v" });
        await scorer.InteractAsync("1", "v", "b", Day);
        await scorer.UntilAsync("the broker shows the waiting messages as lag", () => scorer.Worker.Stats.Lag == 2);
        Assert.Equal(applied, scorer.Worker.Stats.Applied);
        Assert.Equal(0, scorer.Worker.Stats.RequestLists);

        scorer.Worker.Paused = false;
        scorer.UntilList("the answer", l => l.RequestId == "waits");
        scorer.UntilList("the list", l => l.UserId == "v" && l.RequestId is null);
    }

    private static async Task StoreAsync(ScorerFixture scorer, int partition, List<(Interaction Event, long Offset)> rows)
    {
        var expected = await scorer.Postgres.ClaimAsync(scorer.Topics.Interactions, partition, 0, TestContext.Current.CancellationToken);
        var batch = new InteractionBatch(scorer.Topics.Interactions, partition);
        batch.Reset(expected);
        foreach (var (e, offset) in rows)
            batch.Add(offset, e);
        await scorer.Postgres.ApplyAsync(batch, TestContext.Current.CancellationToken);
    }
}
