using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class BlendTrainerTests
{
    private const int Items = 100;
    private const long Now = 1_800_000_000_000;

    private static readonly RankingModel Model = RankingModel.From(TestModels.Artifact(
        new ModelConfig { Channels = [ChannelNames.Popularity, ChannelNames.Personal, ChannelNames.Walk], EventWeights = TestModels.FlatWeights },
        Items, new Dictionary<string, (long[] Shape, float[] Data)> { [TensorNames.ItemCount] = ([Items], new float[Items]) }));

    [Theory]
    [InlineData(0)]
    [InlineData(32)]
    public void It_learns_to_follow_the_channel_that_knows(int hidden)
    {
        var trainer = Trainer(400, new BlendTrainerOptions { Hidden = hidden, Batch = 8 });
        Assert.True(trainer.Count > 390, $"{trainer.Count} of 400 events have their target among the candidates");
        var losses = new List<double>();
        var learned = Model.With(trainer.Fit((_, loss) => losses.Add(loss), CancellationToken.None));
        Assert.True(losses[^1] < losses[0] * 0.8, $"loss went from {losses[0]:f3} to {losses[^1]:f3}");
        var test = Cases(100, 2);
        var hits = test.Count(e => Top1(learned, e) == e.Target);
        Assert.True(hits > 80, $"{hits} of {test.Count} targets came first");
    }

    [Fact]
    public void The_same_events_and_seed_give_the_same_blend()
    {
        var (a, b) = (Trainer(50, new()).Fit(null, CancellationToken.None), Trainer(50, new()).Fit(null, CancellationToken.None));
        Assert.Equal(a.Linear.ToArray(), b.Linear.ToArray());
        var (x, y) = (new Dictionary<string, (long[] Shape, float[] Data)>(), new Dictionary<string, (long[] Shape, float[] Data)>());
        a.Write(x);
        b.Write(y);
        Assert.All(x, t => Assert.Equal(t.Value.Data, y[t.Key].Data));
    }

    [Fact]
    public void A_target_nobody_brought_is_counted_and_teaches_nothing()
    {
        var trainer = new BlendTrainer();
        Assert.False(trainer.Add(Model, new RankContext { NowMs = Now, Counters = new LiveCounters(), Excluded = [5] }, 5, new RankWorkspace()));
        Assert.Equal((0, 1), (trainer.Count, trainer.Missed));
        Assert.Throws<InvalidOperationException>(() => trainer.Fit(null, CancellationToken.None));
    }

    private sealed record Case(WalkScore[] Walks, UserEvent[] History, int Target);

    private static BlendTrainer Trainer(int events, BlendTrainerOptions options)
    {
        var trainer = new BlendTrainer(options);
        foreach (var e in Cases(events, 1))
            trainer.Add(Model, Context(e), e.Target, new RankWorkspace());
        return trainer;
    }

    /// <summary>The item the walk visited most is chosen nine times of ten, its other one else; popularity knows nothing.</summary>
    private static List<Case> Cases(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var (good, other) = (random.Next(50, Items), random.Next(50));
            return new Case([new(good, 40), new(other, 3)], [new(random.Next(Items), 1, 1, Now - random.Next(100_000))], random.Next(10) == 0 ? other : good);
        }).Where(c => c.History[0].Item != c.Target)];
    }

    private static int Top1(RankingModel model, Case e) => model.Rank(Context(e), 1, new RankWorkspace())[0].Item;

    private static RankContext Context(Case e)
    {
        var counters = new LiveCounters(Items);
        for (var i = 0; i < 20; i++)
            counters.Add((e.Target * 7 * i) % Items, Now);
        return new RankContext { NowMs = Now, Counters = counters, History = e.History, Walks = e.Walks };
    }
}
