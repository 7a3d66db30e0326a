using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;

namespace StreamRec.TrainerTests;

public class FineTuneTests
{
    private static readonly TrainerOptions Options = new()
    {
        Encoder = new EncoderConfig { Dim = 32, Ffn = 32, MaxHistory = 12 }, Device = "cpu", Threads = 1, FinalFit = false, BatchTokens = 200, Neighbours = 5,
        ValidationEvents = 80, BlendEvents = 150, HoldoutEvents = 150, Loop = new LoopOptions { Epochs = 20, LearningRate = 0.01 }, Dropout = 0.1,
    };

    [Fact]
    public void Old_users_lose_at_most_one_percent_while_new_items_gain()
    {
        // One ring of the market opens late: until then nobody meets its items.
        var whole = TinyMarket.Create(users: 120, eventsPerUser: 40);
        var opening = whole.TimeMs[whole.Count * 6 / 10];
        bool IsNew(int item) => item >= 32;
        var second = Keep(whole, e => !IsNew(whole.Item[e]) || whole.TimeMs[e] > opening);
        var first = Keep(second, e => second.TimeMs[e] <= opening);
        var trainer = new ModelTrainer(Options, EventTypes.Default, NullLogger.Instance);
        var ct = TestContext.Current.CancellationToken;
        var champion = new Champion(trainer.Train(first, null, null, false, 1, null, ct).Artifact);
        var tuned = RankingModel.From(trainer.Train(second, null, champion, true, 2, null, ct).Artifact);

        // Judged on events the tuned model has not learned either.
        var data = new TrainingData(second, null, EventTypes.Default, 256);
        var from = (int)tuned.Manifest.Data.Interactions;
        Assert.InRange(from, first.Count + 100, second.Count - 100);
        var prequential = new Prequential(data.Log, data.ItemIds, data.Types, SeenRule.Repeat, strict: true);
        var events = prequential.Every(from, second.Count, 1);
        int[] Ranks(RankingModel model) => prequential.Ranks(model, events, [], ct).Ranks[Prequential.Blend];
        var (before, after) = (Ranks(champion.Model), Ranks(tuned));
        double Of(int[] ranks, bool fresh) => RankMetrics.Of([.. ranks.Where((_, k) => IsNew(data.Log.Item[events[k]]) == fresh)]).Ndcg10;
        Assert.True(Of(after, false) >= 0.99 * Of(before, false), $"old items: NDCG@10 {Of(before, false):f4} before, {Of(after, false):f4} after");
        Assert.True(Of(after, true) > Of(before, true) + 0.1, $"new items: NDCG@10 {Of(before, true):f4} before, {Of(after, true):f4} after");
    }

    private static GraphSnapshot Keep(GraphSnapshot s, Func<int, bool> wanted)
    {
        int[] kept = [.. Enumerable.Range(0, s.Count).Where(wanted)];
        T[] Pick<T>(T[] column) => Array.ConvertAll(kept, e => column[e]);
        return s with { User = Pick(s.User), Item = Pick(s.Item), Type = Pick(s.Type), Value = Pick(s.Value), TimeMs = Pick(s.TimeMs) };
    }
}
