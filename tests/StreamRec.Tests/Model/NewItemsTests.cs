using FsCheck;
using FsCheck.Fluent;
using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class NewItemsTests
{
    private const int Items = 150;
    private const long Now = 1_800_000_000_000;
    private const long Day = 86_400_000;

    /// <summary>About a third of the items have fewer events.</summary>
    private const int Below = 24;
    private static readonly ModelArtifact Artifact = TestModels.Full(Items, 4);
    private static readonly RankingModel Plain = RankingModel.From(Artifact);
    private readonly RankWorkspace _workspace = new();

    [Theory]
    [InlineData(10, 0)]
    [InlineData(11, 0)]
    [InlineData(13, 0)]
    [InlineData(14, 1)]
    [InlineData(20, 3)]
    [InlineData(110, 30)]
    public void A_list_keeps_its_share_of_the_places_after_the_first_ten(int k, int kept)
    {
        var config = new NewItemsConfig();
        Assert.Equal(kept, config.CountIn(k));
        Assert.Equal(kept, Enumerable.Range(0, k).Count(config.Keeps));
        Assert.Equal((k - config.From) * 7 / 10, (config with { Share = 0.7 }).CountIn(k));
    }

    [Fact]
    public void The_first_places_and_the_order_of_the_rest_are_those_of_the_list_without_new_items() => ForAll((question, k, config) =>
    {
        var model = With(config);
        var plain = Plain.Rank(question.Context(), k, _workspace).ToArray();
        var list = model.Rank(question.Context(), k, _workspace).ToArray();
        Assert.Equal(plain.Length, list.Length);
        Assert.Equal(plain.Take(config.From), list.Take(config.From));
        Assert.Equal(list.Length, list.Select(l => l.Item).Distinct().Count());
        Assert.All(list.Index().Where(l => l.Item.IsNew), l =>
        {
            Assert.True(config.Keeps(l.Index));
            Assert.True(l.Item.Item >= Items || model.FitCounts[l.Item.Item] < config.BelowEvents);
        });
        var own = list.Where(l => !l.IsNew).Select(l => l.Item).ToArray();
        var taken = list.Where(l => l.IsNew).Select(l => l.Item).ToHashSet();
        Assert.Equal(plain.Select(l => l.Item).Where(i => !taken.Contains(i)).Take(own.Length), own);
    });

    [Fact]
    public void A_kept_place_is_the_blends_only_when_no_new_item_is_left() => ForAll((question, k, config) =>
    {
        var model = With(config);
        var list = model.Rank(question.Context(), k, _workspace).ToArray();
        var shown = list.Select(l => l.Item).ToHashSet();
        var missed = list.Index().Any(l => config.Keeps(l.Index) && !l.Item.IsNew);
        var left = Enumerable.Range(0, question.ItemCount)
            .Count(i =>
                (i >= Items || model.FitCounts[i] < config.BelowEvents)
                && !shown.Contains(i)
                && question.IsAllowed(i)
                && !question.History.Any(e => e.Item == i));
        Assert.True(!missed || left == 0, $"{left} new items are left, and a place of theirs is not taken");
    });

    [Fact]
    public void Excluded_seen_and_own_items_take_no_place() => ForAll((question, k, config) =>
    {
        foreach (var seen in (SeenRule[])[SeenRule.Exclude, SeenRule.Repeat])
        {
            var list = With(config).Rank(question.Context() with { Seen = seen }, k, _workspace).ToArray();
            Assert.All(list, l => Assert.True(question.IsAllowed(l.Item)));
            Assert.All(list.Where(l => l.IsNew || seen == SeenRule.Exclude), l => Assert.DoesNotContain(l.Item, question.History.Select(e => e.Item)));
        }
    });

    [Fact]
    public void The_same_question_gets_the_same_list_and_a_shorter_one_is_its_beginning() => ForAll((question, k, config) =>
    {
        var model = With(config);
        var list = model.Rank(question.Context(), k, _workspace).ToArray();
        Assert.Equal(list, model.Rank(question.Context(), k, new RankWorkspace()).ToArray());
        // Beyond the candidates of the channels a longer list looks at more items.
        if (k <= 60)
            Assert.Equal(list.Select(l => l.Item).Take(k / 2), model.Rank(question.Context(), k / 2, _workspace).ToArray().Select(l => l.Item));
    });

    [Fact]
    public void Without_temperature_the_best_new_items_come_in_order_of_text_and_live_counts()
    {
        var config = new NewItemsConfig { BelowEvents = Below, Temperature = 0, Share = 1 };
        var counters = new LiveCounters(Items);
        var fresh = Enumerable.Range(0, Items).Where(i => Plain.FitCounts[i] < Below).ToArray();
        for (var n = 0; n < 3_000; n++)
            counters.Add(fresh[7], Now - n);
        for (var n = 0; n < 40; n++)
            counters.Add(fresh[3], Now - n);
        // Nobody's history: text says nothing. An item born after the model is new as well.
        for (var n = 0; n < 400; n++)
            counters.Add(Items + 1, Now - n);
        var list = With(config with { From = 0 }).Rank(new RankContext { NowMs = Now, Counters = counters, ItemCount = Items + 2 }, 3, _workspace).ToArray();
        Assert.Equal([fresh[7], Items + 1, fresh[3]], list.Select(l => l.Item));
        Assert.All(list, l => Assert.True(l.IsNew));
    }

    [Fact]
    public void The_channels_that_rank_new_items_among_themselves_can_be_named()
    {
        var config = new NewItemsConfig { BelowEvents = Below, Temperature = 0, From = 0, Share = 1, Channels = [ChannelNames.Gnn, ChannelNames.Walk] };
        var question = new Question(5);
        var scores = new float[question.ItemCount];
        Assert.True(Plain.ScoreChannel(ChannelNames.Gnn, question.Context(), _workspace, scores));
        var drawn = With(config).Rank(question.Context(), 12, _workspace).ToArray().Where(l => l.IsNew && l.Item < Items).Select(l => scores[l.Item]).ToArray();
        Assert.True(drawn.Length > 5);
        Assert.Equal(drawn.OrderDescending(), drawn);
        Assert.NotEqual(
            With(config).Rank(question.Context(), 12, _workspace).ToArray(),
            With(config with { Channels = null }).Rank(question.Context(), 12, new()).ToArray());
    }

    [Fact]
    public void With_temperature_people_are_shown_different_new_items()
    {
        var questions = Enumerable.Range(0, 40).Select(seed => new Question(seed)).ToArray();
        int Shown(float temperature)
        {
            var model = With(new NewItemsConfig { BelowEvents = Below, Temperature = temperature });
            return questions.SelectMany(q => model.Rank(q.Context(), 20, _workspace).ToArray().Where(l => l.IsNew)).Select(l => l.Item).Distinct().Count();
        }

        var (best, drawn, even) = (Shown(0), Shown(1), Shown(1_000));
        Assert.True(best < drawn && drawn <= even, $"{best} different items without temperature, {drawn} at 1, {even} at 1,000");
    }

    [Fact]
    public void Draws_are_in_proportion_to_the_softmax_of_the_scores()
    {
        // Two new items with z-scores of their own; every person is another draw.
        var config = new NewItemsConfig { BelowEvents = Below, From = 0, Share = 1 };
        var fresh = Enumerable.Range(0, Items).Where(i => Plain.FitCounts[i] < Below).Take(2).ToArray();
        var counters = new LiveCounters(Items);
        for (var n = 0; n < 3; n++)
            counters.Add(fresh[0], Now - n);
        for (var i = 0; i < Items; i += 2)
            counters.Add(i, Now - 5);
        var allowed = new ulong[3];
        foreach (var i in fresh)
            allowed[i >> 6] |= 1UL << (i & 63);
        var model = RankingModel.From(new ModelArtifact(
            Artifact.Manifest with { Config = Artifact.Manifest.Config with { Channels = [ChannelNames.Popularity], NewItems = config } },
            Artifact.Items, Artifact.Tensors));
        double[] logs = [.. Enumerable.Range(0, Items).Select(i => Math.Log(1 + (i < counters.Month.Length ? counters.Month[i] : 0)))];
        var deviation = Math.Sqrt(logs.Average(l => l * l) - Math.Pow(logs.Average(), 2));
        var expected = 1 / (1 + Math.Exp((logs[fresh[1]] - logs[fresh[0]]) / deviation / config.Temperature));
        const int Draws = 4_000;
        var first = Enumerable.Range(0, Draws).Count(person =>
            model.Rank(
                new RankContext { NowMs = Now, Counters = counters, Allowed = allowed, History = [new(149, 1, float.NaN, person * 1_000_003L)] },
                2, _workspace)[0].Item == fresh[0]);
        Assert.InRange((double)first / Draws, expected - 0.03, expected + 0.03);
    }

    [Fact]
    public void Settings_out_of_their_range_are_refused_by_name()
    {
        foreach (var bad in (NewItemsConfig[])
        [
            new() { From = -1 }, new() { Share = 1.5 }, new() { Share = double.NaN }, new() { BelowEvents = -1 },
            new() { Channels = [] }, new() { Channels = ["gmn"] }, new() { Temperature = float.NaN },
        ])
            Assert.Contains("NewItems.", Assert.Throws<ArgumentException>(() => With(bad)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranking_with_new_items_allocates_nothing_in_the_steady_state()
    {
        var model = With(new NewItemsConfig { BelowEvents = Below });
        var question = new Question(3);
        void Rank() => model.Rank(question.Context(), 20, _workspace);
        Rank();
        Rank();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            Rank();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(3, _workspace.Result.ToArray().Count(l => l.IsNew));
    }

    private static RankingModel With(NewItemsConfig config) =>
        RankingModel.From(new ModelArtifact(
            Artifact.Manifest with { Config = Artifact.Manifest.Config with { NewItems = config } },
            Artifact.Items, Artifact.Tensors));

    private static void ForAll(Action<Question, int, NewItemsConfig> property)
    {
        var cases =
            from seed in Gen.Choose(0, 100_000)
            from k in Gen.Frequency((4, Gen.Choose(0, 40)), (1, Gen.Choose(0, 200)))
            from top in Gen.Choose(0, 15)
            from share in Gen.Elements(0, 0.1, 0.3, 0.5, 0.7, 1)
            from below in Gen.Elements(0, 5, Below, 1_000)
            from temperature in Gen.Elements(0f, 0.5f, 1f)
            select (seed, k, new NewItemsConfig { From = top, Share = share, BelowEvents = below, Temperature = temperature });
        Check.One(Properties.Quick.WithMaxTest(80), Prop.ForAll(cases.ToArbitrary(), c => property(new Question(c.seed), c.k, c.Item3)));
    }

    /// <summary>A person with a history, live counts and a filter, all from the seed.</summary>
    private sealed class Question
    {
        private readonly LiveCounters _counters = new(Items);
        private readonly int[] _excluded;

        public Question(int seed)
        {
            var random = new Random(seed);
            History = TestModels.History(random, random.Next(40), Items, Now - (90 * Day));
            ItemCount = Items + random.Next(5);
            for (var e = 0; e < 300; e++)
                _counters.Add((int)(ItemCount * random.NextDouble() * random.NextDouble()), Now - (600_000L * (300 - e)));
            _excluded = [.. Enumerable.Range(0, ItemCount).Where(_ => random.Next(seed % 3 == 0 ? 2 : 20) == 0)];
        }

        public UserEvent[] History { get; }

        public int ItemCount { get; }

        public bool IsAllowed(int item) => !_excluded.Contains(item);

        public RankContext Context() => new() { NowMs = Now, Counters = _counters, History = History, ItemCount = ItemCount, Excluded = _excluded };
    }
}
