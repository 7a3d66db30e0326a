using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class RankingModelTests
{
    private const int Items = 120;
    private const long Now = 1_800_000_000_000;
    private const long Day = 86_400_000;
    private static readonly RankingModel Model = RankingModel.From(TestModels.Full(Items, 4));
    private readonly RankWorkspace _workspace = new();

    [Fact]
    public void Without_a_model_live_popularity_and_walks_make_the_list()
    {
        var counters = new LiveCounters();
        for (var item = 0; item < 10; item++)
        {
            for (var n = 0; n <= item; n++)
                counters.Add(item, Now);
        }

        var list = RankingModel.None.Rank(new RankContext { NowMs = Now, Counters = counters, ItemCount = 12 }, 3, _workspace);
        Assert.Equal([9, 8, 7], list.ToArray().Select(l => l.Item));
        Assert.Equal(ChannelNames.Popularity, RankingModel.None.Channels[list[0].Channel]);
        var walks = new WalkScore[] { new(11, 400), new(2, 3) };
        list = RankingModel.None.Rank(
            new RankContext { NowMs = Now, Counters = new LiveCounters(), ItemCount = 12, Walks = walks, History = [Event(2)] }, 12, _workspace);
        Assert.Equal(11, list[0].Item);
        Assert.Equal(ChannelNames.Walk, RankingModel.None.Channels[list[0].Channel]);
        Assert.Equal(11, list.Length); // everything but the seen item
        Assert.DoesNotContain(2, list.ToArray().Select(l => l.Item));
    }

    [Fact]
    public void A_list_is_sorted_distinct_and_as_long_as_asked_even_beyond_the_candidates_of_the_channels()
    {
        foreach (var k in (int[])[0, 1, 20, 100, 500])
        {
            var list = Model.Rank(Context(History(30)), k, _workspace).ToArray();
            Assert.Equal(Math.Min(k, Items - History(30).Select(e => e.Item).Distinct().Count()), list.Length);
            Assert.Equal(list.Length, list.Select(l => l.Item).Distinct().Count());
            Assert.True(list.Zip(list.Skip(1)).All(p => p.First.Score >= p.Second.Score));
        }
    }

    [Fact]
    public void Seen_excluded_and_not_allowed_items_never_appear()
    {
        var history = History(30);
        var allowed = new ulong[1]; // items 64 and up are beyond the mask: not allowed
        for (var i = 0; i < 64; i += 2)
            allowed[0] |= 1UL << i;
        var list = Model.Rank(Context(history) with { Allowed = allowed, Excluded = [0, 2, 4, 999] }, 50, _workspace).ToArray();
        Assert.NotEmpty(list);
        Assert.All(list, l =>
        {
            Assert.True(l.Item % 2 == 0 && l.Item is > 4 and < 64);
            Assert.DoesNotContain(l.Item, history.Select(e => e.Item));
        });
        var repeat = Model.Rank(Context(history) with { Allowed = allowed, Seen = SeenRule.Repeat }, 50, _workspace).ToArray();
        Assert.Equal(32, repeat.Length);
    }

    [Fact]
    public void Own_purchases_come_first_where_repeats_are_allowed_and_name_themselves_as_evidence()
    {
        var history = Enumerable.Repeat(Event(17), 8).ToArray();
        var none = RankingModel.None;
        var context = new RankContext { NowMs = Now, Counters = Counters(), History = history, ItemCount = Items, Seen = SeenRule.Repeat };
        var list = none.Rank(context, 5, _workspace);
        Assert.Equal(17, list[0].Item);
        Assert.Equal(ChannelNames.Personal, none.Channels[list[0].Channel]);
        Assert.Equal([17], _workspace.Evidence(0).ToArray());
    }

    [Fact]
    public void A_returned_item_is_no_own_item_but_one_of_two_is()
    {
        var artifact = TestModels.Full(Items, 4);
        var model = RankingModel.From(new ModelArtifact(
            artifact.Manifest with { Config = artifact.Manifest.Config with { EventWeights = ModelConfig.WeightsOf(EventTypes.Default) } },
            artifact.Items, artifact.Tensors));
        var history = new UserEvent[] { new(1, 5, 1, Now - 5), new(2, 5, 1, Now - 4), new(2, 5, 1, Now - 3), new(1, 8, 1, Now - 2), new(2, 8, 1, Now - 1) };
        model.Rank(Context(history) with { Seen = SeenRule.Repeat }, 5, _workspace);
        var own = Assert.Single(_workspace.Own.ToArray());
        Assert.Equal(new OwnItem(2, 0, 1, 1, Now - 3, Now - 4, 2), own);
    }

    [Fact]
    public void A_blend_from_before_the_newer_features_still_ranks_and_one_of_another_width_is_refused()
    {
        var artifact = TestModels.Full(Items, 4);
        ModelArtifact With(int extra)
        {
            var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(artifact.Tensors);
            var linear = new float[TestModels.AllChannels.Length + extra];
            linear[1] = 1; // ease
            new Blend(linear, [], [], []).Write(tensors);
            return new ModelArtifact(artifact.Manifest, artifact.Items, tensors);
        }

        var history = History(10);
        var old = RankingModel.From(With(5)).Rank(Context(history), 10, _workspace).ToArray().Select(r => r.Item).ToArray();
        var now = RankingModel.From(With(19)).Rank(Context(history), 10, _workspace).ToArray().Select(r => r.Item).ToArray();
        Assert.Equal(old, now);
        var error = Assert.Throws<InvalidDataException>(() => RankingModel.From(With(7)));
        Assert.Contains("needed 28", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Items_born_after_training_are_ranked_by_the_live_channels()
    {
        var counters = new LiveCounters(Items);
        for (var n = 0; n < 500; n++)
            counters.Add(Items + 3, Now - n);
        var list = Model.Rank(new RankContext { NowMs = Now, Counters = counters, ItemCount = Items + 5, History = History(10) }, 30, _workspace).ToArray();
        Assert.Contains(Items + 3, list.Select(l => l.Item));
        Assert.Throws<ArgumentException>(() => Model.Rank(new RankContext { NowMs = Now, Counters = counters, ItemCount = Items - 1 }, 30, _workspace).Length);
    }

    [Fact]
    public void Evidence_is_from_the_history_and_shares_are_what_the_score_loses_without_the_channel()
    {
        var history = History(40);
        var list = Model.Rank(Context(history), 20, _workspace);
        var explained = 0;
        for (var rank = 0; rank < list.Length; rank++)
        {
            var shares = _workspace.Shares(rank);
            Assert.Equal(Model.Channels.Count, shares.Length);
            Assert.Equal(shares.ToArray().Max(), shares[list[rank].Channel]);
            Assert.All(_workspace.Evidence(rank).ToArray(), i => Assert.Contains(i, history.Select(e => e.Item)));
            explained += _workspace.Evidence(rank).Length > 0 ? 1 : 0;
        }

        Assert.True(explained > 10, $"only {explained} of 20 lines have evidence");
    }

    [Fact]
    public void A_channel_scores_what_its_definition_says()
    {
        UserEvent[] history = [Event(3), Event(5), Event(3)];
        var ease = new float[Items];
        Assert.True(Model.ScoreChannel(ChannelNames.Ease, Context(history), _workspace, ease));
        var dense = TestModels.Full(Items, 4).Tensors[TensorNames.EaseDense].Data;
        for (var j = 0; j < Items; j++)
            Assert.Equal(dense[(3 * Items) + j] + (0.8f * dense[(5 * Items) + j]), ease[j], 1e-5f);
        var personal = new float[Items];
        Assert.True(Model.ScoreChannel(ChannelNames.Personal, Context(history), _workspace, personal));
        Assert.Equal((2f, 1f, 0f), (personal[3], personal[5], personal[4]));
        Assert.False(Model.ScoreChannel(ChannelNames.Gnn, Context([]), _workspace, personal));
        var error = Assert.Throws<ArgumentException>(() => Model.ScoreChannel("bogus", Context([]), _workspace, personal));
        Assert.Contains("bogus", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_with_their_own_workspaces_get_the_same_lists()
    {
        var histories = Enumerable.Range(0, 40).Select(seed => TestModels.History(new Random(seed), 30, Items, Now - (90 * Day))).ToArray();
        var expected = histories.Select(h => Model.Rank(Context(h), 20, _workspace).ToArray()).ToArray();
        Parallel.For(0, 8, new ParallelOptions { CancellationToken = TestContext.Current.CancellationToken }, t =>
        {
            var workspace = new RankWorkspace();
            for (var i = 0; i < histories.Length; i++)
            {
                var at = (i + (t * 5)) % histories.Length;
                Assert.Equal(expected[at], Model.Rank(Context(histories[at]), 20, workspace).ToArray());
            }
        });
    }

    [Fact]
    public void Ranking_allocates_nothing_in_the_steady_state()
    {
        var history = History(50);
        var counters = Counters();
        void Rank() => Model.Rank(new RankContext { NowMs = Now, Counters = counters, History = history, Walks = [new(5, 2)] }, 20, _workspace);
        Rank();
        Rank();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            Rank();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_saved_model_with_a_learned_blend_ranks_as_before()
    {
        var artifact = TestModels.Full(Items, 4);
        var trainer = new BlendTrainer();
        for (var e = 0; e < 30; e++)
            trainer.Add(Model, Context(TestModels.History(new Random(e), 20, Items, Now - (90 * Day))), e, _workspace);
        var blend = trainer.Fit(null, TestContext.Current.CancellationToken);
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(artifact.Tensors);
        blend.Write(tensors);
        var directory = Directory.CreateTempSubdirectory("streamrec-model-").FullName;
        try
        {
            new ModelArtifact(artifact.Manifest, artifact.Items, tensors).Write(Path.Combine(directory, "v1"));
            var loaded = RankingModel.Load(Path.Combine(directory, "v1"));
            var expected = Model.With(blend).Rank(Context(History(30)), 20, _workspace).ToArray();
            Assert.Equal(expected, loaded.Rank(Context(History(30)), 20, _workspace).ToArray());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void Item_space_numbers_the_models_items_first_and_new_ones_after()
    {
        var space = new ItemSpace(Model);
        Assert.Equal(Items, space.Count);
        Assert.True(space.TryGet("i7", out var seven));
        Assert.Equal(7, seven);
        Assert.False(space.TryGet("new", out _));
        Assert.Equal([Items, Items + 1, Items, 7], new[] { space.Intern("new"), space.Intern("newer"), space.Intern("new"), space.Intern("i7") });
        Assert.Equal("newer", space.Id(Items + 1));
    }

    private static UserEvent Event(int item) => new(item, 1, float.NaN, Now - 1000);

    private static UserEvent[] History(int length) => TestModels.History(new Random(length), length, Items, Now - (90 * Day));

    private static RankContext Context(UserEvent[] history) => new() { NowMs = Now, Counters = Counters(), History = history };

    private static LiveCounters Counters()
    {
        var counters = new LiveCounters(Items);
        var random = new Random(1);
        for (var e = 0; e < 600; e++)
            counters.Add((int)(Items * random.NextDouble() * random.NextDouble()), Now - (600_000L * (600 - e)));
        return counters;
    }
}
