using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Explanations;
using StreamRec.Trainer.Training;

namespace StreamRec.TrainerTests;

/// <summary>On the made-up market where the next item follows from the newest one.</summary>
public class ExplanationTests
{
    private static readonly Lazy<ModelArtifact> Trained = new(() => Train(TinyMarket.Create()));

    private static ModelArtifact Train(GraphStore.GraphSnapshot snapshot, int epochs = 30, int? hops = null) => new ModelTrainer(
        new TrainerOptions
        {
            Encoder = new EncoderConfig { Dim = 32, Ffn = 32, MaxHistory = 12 }, Device = "cpu", Threads = 1, FinalFit = false, Hops = hops,
            Loop = new LoopOptions { Epochs = epochs, LearningRate = 0.01, LabelSmoothing = 0.02 },
        },
        EventTypes.Default, NullLogger.Instance).Train(snapshot, null, null, false, 1, null, CancellationToken.None).Artifact;

    private static UserEvent[] History(RankingModel model, params int[] rings)
    {
        var time = 1_700_000_000_000L;
        return [.. rings.Select(i => new UserEvent(model.TryGetItem($"i{i}", out var index) ? index : -1, 2, float.NaN, time += 3_600_000))];
    }

    [Fact]
    public void Attention_sums_to_one_and_the_event_the_item_follows_from_gains_most()
    {
        var model = RankingModel.From(Trained.Value);
        var history = History(model, 3, 20, 11, 17, 25);
        model.TryGetItem("i26", out var item);
        var context = new RankContext { History = history, NowMs = history[^1].TimeMs + 60_000, Counters = new LiveCounters(model.ItemCount) };
        var events = model.Graph!.Explain(context, item);
        Assert.Equal([0, 1, 2, 3, 4], events.Select(e => e.Position));
        Assert.Equal(1, events.Sum(e => e.Attention), 1e-4f);
        Assert.Equal(4, events.MaxBy(e => e.Gain).Position);
        Assert.True(events[4].Gain > 0.5f, $"the newest event gains {events[4].Gain}");
        Assert.Empty(model.Graph!.Explain(new RankContext { History = [], NowMs = 0, Counters = new LiveCounters(model.ItemCount) }, item));
    }

    [Fact]
    public void The_learned_mask_is_small_and_keeps_the_recommendation()
    {
        var model = RankingModel.From(Trained.Value);
        var history = History(model, 3, 20, 11, 17, 25);
        model.TryGetItem("i26", out var item);
        var masked = HistoryMask.Learn(Trained.Value, history, history[^1].TimeMs + 60_000, [], item);
        Assert.Equal([0, 1, 2, 3, 4], masked.Positions);
        Assert.All(masked.Mask, m => Assert.InRange(m, 0f, 1f));
        Assert.True(masked.Probability > 0.2, $"p {masked.Probability}");
        Assert.True(masked.MaskedProbability > 0.8 * masked.Probability, $"{masked.MaskedProbability} of {masked.Probability} is left");
        Assert.True(masked.Mask.Average() < 0.6, $"mask {string.Join(", ", masked.Mask)}");
        var free = HistoryMask.Learn(Trained.Value, history, history[^1].TimeMs + 60_000, [], item, new MaskOptions { Size = 0, Entropy = 0 });
        Assert.True(
            free.MaskedProbability > masked.MaskedProbability - 1e-3,
            $"{free.MaskedProbability} where edges cost nothing, {masked.MaskedProbability} where they do");
        Assert.Throws<ArgumentException>(() => HistoryMask.Learn(Trained.Value, [], 0, [], item));
    }

    [Fact]
    public void A_gain_is_what_the_served_score_loses_without_the_event_own_edges_included()
    {
        var artifact = Train(TinyMarket.Create(repeatShare: 0.6f), epochs: 2, hops: 2);
        Assert.True(artifact.Manifest.Config.Encoder is { Copy: true, Hops: 2 });
        var model = RankingModel.From(artifact);
        var history = History(model, 3, 20, 20, 11, 17);
        var now = history[^1].TimeMs + 60_000;
        float[] Scores(UserEvent[] events)
        {
            var scores = new float[model.ItemCount];
            var context = new RankContext { History = events, NowMs = now, Counters = new LiveCounters(model.ItemCount) };
            Assert.True(model.ScoreChannel(ChannelNames.Gnn, context, new RankWorkspace(), scores));
            return scores;
        }

        var whole = Scores(history);
        foreach (var item in new[] { history[1].Item, history[4].Item, 0 })
        {
            foreach (var e in model.Graph!.Explain(new RankContext { History = history, NowMs = now, Counters = new LiveCounters(model.ItemCount) }, item))
                Assert.Equal(whole[item] - Scores([.. history.Where((_, k) => k != e.Position)])[item], e.Gain, 1e-4f);
        }
    }
}
