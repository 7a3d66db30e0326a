using System.Text;
using StreamRec.Contracts;
using Xunit;

namespace StreamRec.IntegrationTests.Scorer;

/// <summary>The scorer over a real log: what comes in on interactions and requests, and what goes out on recommendations.</summary>
public sealed class ScorerTests(Servers servers)
{
    private const long Day = 1_700_000_000_000;

    [Fact]
    public async Task An_interaction_leads_to_a_list_that_names_it_as_its_cause_and_leaves_the_item_out()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        foreach (var item in new[] { "a", "b", "c" })
            await scorer.InteractAsync("seed-" + item, "other", item, Day);
        const string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        var sent = await scorer.SendAsync(
            scorer.Topics.Interactions, "me",
            $$"""{"event_id":"e1","user_id":"me","item_id":"a","type":"like","time":{{Day + 1000}}}""",
            ("traceparent", trace));

        var list = scorer.UntilList("a list for me", l => l.UserId == "me");
        Assert.Equal("interactions", list.Trigger);
        Assert.Equal((sent.Topic, sent.Partition.Value, sent.Offset.Value), (list.CausedBy!.Topic, list.CausedBy.Partition, list.CausedBy.Offset));
        Assert.InRange(list.GeneratedAt - list.CausedBy.Time, TimeSpan.FromSeconds(-1), TimeSpan.FromMinutes(1));
        Assert.DoesNotContain("a", list.Items.Select(i => i.ItemId));
        Assert.NotEmpty(list.Items);
        Assert.All(list.Items.SelectMany(i => i.Evidence), e => Assert.Equal("a", e));
        Assert.Equal(trace, Encoding.UTF8.GetString(scorer.Lists.Last(l => l.Key == "me").Headers.GetLastBytes("traceparent")));
        await scorer.UntilAsync("the list's acknowledgement", () => scorer.Worker.Stats.EventToList.Count > 0);
        await scorer.StopAsync();
        Assert.Single(scorer.Worker.Stats.Prequential.ByModel);
        var latest = await scorer.Redis.LatestAsync("me");
        Assert.True(Json.TryDecode(latest, out RecommendationList? kept, out _, out _));
        Assert.Equal(list.CausedBy, kept.CausedBy);
    }

    [Fact]
    public async Task A_request_is_answered_once_also_for_a_user_nobody_knows()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        foreach (var (user, item) in new[] { ("u1", "a"), ("u2", "a"), ("u1", "b"), ("u2", "c") })
            await scorer.InteractAsync(user + item, user, item, Day);
        await scorer.StartAsync();
        await scorer.UntilAsync("all events applied", () => scorer.Worker.Stats.Applied == 4);

        await scorer.RequestAsync(new RecommendationRequest { RequestId = "known", UserId = "u1", K = 5 });
        await scorer.RequestAsync(new RecommendationRequest { RequestId = "known", UserId = "u1", K = 5 }); // the producer's retry
        await scorer.RequestAsync(new RecommendationRequest { RequestId = "unknown", UserId = "stranger", K = 1 });
        await scorer.RequestAsync(new RecommendationRequest { RequestId = "session", SessionItems = ["a"] });

        Assert.Equal(["c"], scorer.UntilList("the known user's list", l => l.RequestId == "known").Items.Select(i => i.ItemId));
        Assert.Equal(["a"], scorer.UntilList("the stranger's list", l => l.RequestId == "unknown").Items.Select(i => i.ItemId));
        var session = scorer.UntilList("the session's list", l => l.RequestId == "session");
        Assert.Equal("request", session.Trigger);
        Assert.Null(session.UserId);
        Assert.DoesNotContain("a", session.Items.Select(i => i.ItemId));
        await scorer.UntilAsync("the repeated request was seen", () => scorer.Worker.Stats.RepeatedRequests == 1);
        await scorer.StopAsync();
        Assert.Equal(3, scorer.Worker.Stats.RequestLists);
        Assert.Equal(3, scorer.Worker.Stats.RequestToList.Count);
    }

    [Fact]
    public async Task A_bad_request_goes_to_the_dead_letters_with_its_reason_and_bytes()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        var sent = await scorer.SendAsync(scorer.Topics.Requests, "u", """{"request_id":"r","user_id":"u","k":100000}""");
        var dead = scorer.FirstOf(scorer.Topics.DeadLetters, "a dead letter");
        Assert.Equal("""{"request_id":"r","user_id":"u","k":100000}""", Encoding.UTF8.GetString(dead.Message.Value!));
        Assert.Equal("u", dead.Message.Key);
        string Header(string name) => Encoding.UTF8.GetString(dead.Message.Headers.GetLastBytes(name));
        Assert.Equal("bad_value", Header(DeadLetterHeaders.Reason));
        Assert.Equal(scorer.Topics.Requests, Header(DeadLetterHeaders.SourceTopic));
        Assert.Equal($"{sent.Offset.Value}", Header(DeadLetterHeaders.SourceOffset));
        await scorer.UntilAsync("it is counted", () => scorer.Worker.Stats.DeadLetters.GetValueOrDefault("bad_value") == 1);
    }

    [Fact]
    public async Task A_producers_second_delivery_counts_once_and_undecodable_bytes_stop_nothing()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        await scorer.InteractAsync("e1", "me", "a", Day);
        await scorer.InteractAsync("e1", "me", "a", Day);
        await scorer.SendAsync(scorer.Topics.Interactions, "me", "{not json");
        await scorer.InteractAsync("e2", "me", "b", Day);
        await scorer.UntilAsync("both events applied", () => scorer.Worker.Stats.Applied == 2);
        Assert.Equal(1, scorer.Worker.Stats.Duplicates);
        Assert.Equal(1, scorer.Worker.Stats.Undecodable);
    }

    [Fact]
    public async Task An_outside_producers_plain_json_with_cloud_event_headers_works()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        var first = await scorer.SendAsync(
            scorer.Topics.Interactions, "visitor", """{ "user_id": "visitor", "item_id": "lamp", "extra": [1, {"deep": null}] }""",
            ("ce_id", "abc-1"), ("ce_type", "com.shop.click"), ("ce_time", "2024-05-01T12:00:00+02:00"));
        await scorer.InteractAsync("e", "other", "chair", Day);
        await scorer.UntilAsync("both applied", () => scorer.Worker.Stats.Applied == 2);
        await scorer.InteractAsync("e2", "visitor", "table", DateTimeOffset.Parse("2024-05-02T12:00:00Z", null).ToUnixTimeMilliseconds());
        var list = scorer.UntilList("the visitor's second list", l => l.UserId == "visitor" && l.CausedBy!.Offset > first.Offset.Value);
        Assert.Equal(["chair"], list.Items.Select(i => i.ItemId));
    }

    [Fact]
    public async Task A_withdrawn_item_vanishes_from_lists_at_once_and_comes_back_when_announced()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.ItemAsync("a", available: true, "red");
        await scorer.ItemAsync("never", available: false);
        await scorer.StartAsync();
        await scorer.InteractAsync("1", "other", "a", Day);
        await scorer.InteractAsync("2", "other", "never", Day);
        await scorer.UntilAsync("applied", () => scorer.Worker.Stats.Applied == 2);
        await scorer.InteractAsync("3", "me", "b", Day);
        Assert.Equal(["a"], scorer.UntilList("a list with a", l => l.UserId == "me").Items.Select(i => i.ItemId));

        await scorer.SendAsync(scorer.Topics.Items, "a", null); // tombstone
        var replaced = scorer.UntilList("the list without a", l => l.UserId == "me" && l.Items.All(i => i.ItemId != "a"));
        Assert.Equal(scorer.Topics.Items, replaced.CausedBy!.Topic);
        await scorer.ItemAsync("a", available: true, "red");
        // The announcement and what is asked are on different topics: it is asked again until the announcement has been read.
        string[] shown = [];
        for (var n = 0; shown.Length == 0 && n < 1_000; n++)
        {
            var id = $"back-{n}";
            await scorer.RequestAsync(new RecommendationRequest { RequestId = id, UserId = "me" });
            shown = [.. scorer.UntilList("an answer", l => l.RequestId == id).Items.Select(i => i.ItemId)];
        }

        Assert.Equal(["a"], shown);
        await scorer.InteractAsync("4", "me", "c", Day + 5000);
        Assert.Equal(
            ["a"],
            scorer.UntilList(
                    "a is back",
                    l => l.CausedBy!.Topic == scorer.Topics.Interactions && l.CausedBy.Time > replaced.CausedBy.Time
                        && l.UserId == "me" && l.Items.Count > 0)
            .Items.Select(i => i.ItemId));
    }

    [Fact]
    public async Task An_erased_person_leaves_graph_redis_and_the_recommendations_topic()
    {
        await using var scorer = await ScorerFixture.CreateAsync(servers);
        await scorer.StartAsync();
        await scorer.InteractAsync("1", "other", "a", Day);
        await scorer.InteractAsync("2", "me", "b", Day);
        scorer.UntilList("my list", l => l.UserId == "me");
        await scorer.SendAsync(scorer.Topics.Users, "me", null);
        var tombstone = scorer.Until("my tombstone", (key, list) => key == "me" && list is null);
        Assert.Equal("me", tombstone.Key);
        await scorer.RequestAsync(new RecommendationRequest { RequestId = "after", UserId = "me" });
        Assert.Contains("b", scorer.UntilList("a list as for a stranger", l => l.RequestId == "after").Items.Select(i => i.ItemId));
        await scorer.StopAsync();
        Assert.Null(await scorer.Redis.LatestAsync("me"));
    }
}
