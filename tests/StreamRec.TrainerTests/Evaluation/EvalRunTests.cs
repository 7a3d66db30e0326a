using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;
using StreamRec.TrainerTests.Training;

namespace StreamRec.TrainerTests.Evaluation;

[Collection(nameof(TrainingLoopTests))]
public sealed class EvalRunTests
{
    private static readonly EvaluationSet Set = new("tiny", TinyMarket.Create(), Repeats: false);

    private static readonly TrainerOptions Trainer = new()
    {
        Threads = 1, Encoder = new EncoderConfig { Dim = 16, Ffn = 32, MaxHistory = 12 }, Loop = new LoopOptions { Epochs = 10, LearningRate = 0.01 },
        Dropout = 0.1, BatchTokens = 200, Neighbours = 5, Ensemble = [GraphLayer.None, GraphLayer.Gat],
    };

    [Fact]
    public void On_a_market_with_order_the_graph_channel_beats_popularity_and_the_blend_stands_beside_it()
    {
        var result = Run(new EvalOptions { Protocol = EvalProtocol.PrequentialStrict, Task = SeenRule.Repeat });
        double Of(string name) => result.Judged.Single(j => j.Name == name).Metrics["ndcg_10"];
        Assert.True(Of("gnn") > Of("popularity-30d") + 0.2, $"gnn {Of("gnn"):f3}, popularity {Of("popularity-30d"):f3}");
        Assert.True(Of("blend") > Of("popularity-30d") + 0.2);
        Assert.Equal(["popularity-30d", "itemknn", "itemknn-decay", "ease", "ease-decay", "personal-frequency"], result.Judged.Take(6).Select(j => j.Name));
        Assert.All(result.Judged, j => Assert.Equal(Set.Split.End - Set.Split.ValidEnd, j.Metrics["n"]));
    }

    [Fact]
    public void Encoders_kept_from_one_evaluation_serve_the_next_and_give_the_same_numbers()
    {
        var folder = Directory.CreateTempSubdirectory("streamrec-eval-");
        try
        {
            var options = new EvalOptions
            {
                Protocol = EvalProtocol.Prequential, Task = SeenRule.Exclude,
                ModelsDirectory = folder.FullName, Channels = ["gnn", "markov"],
            };
            var first = Run(options);
            Assert.True(first.TrainSeconds[0] > 0);
            Assert.Equal(4, folder.GetFiles("*.safetensors").Length); // two encoders, on two parts
            var second = Run(options);
            Assert.Equal(0, second.TrainSeconds[0]);
            Assert.Equal(first.Judged.Select(j => j.Metrics["mrr_20"]), second.Judged.Select(j => j.Metrics["mrr_20"]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_model_that_learns_on_knows_nothing_of_an_event_before_it_is_asked_about_it()
    {
        // Two logs that part at an event in the middle of the judged part: up to there every rank must be the same, and after the next lesson some differ.
        var (from, part) = (Set.Split.ValidEnd, Set.Split.ValidEnd + ((Set.Split.End - Set.Split.ValidEnd) / 2));
        var item = Set.Snapshot.Item.ToArray();
        for (var e = part; e < item.Length; e++)
            item[e] = (item[e] + 1) % Set.Snapshot.Items.Length;
        var options = new EvalOptions
        {
            Protocol = EvalProtocol.PrequentialStrict, Task = SeenRule.Repeat, Channels = ["gnn", "markov"],
            Baselines = false, LearnOnEvery = 40, FineTuned = true,
        };
        var same = new EvaluationSet("tiny", Set.Snapshot with { Item = item }, Repeats: false);
        ushort[] Ranks(EvaluationSet set, string name) =>
            (ushort[])new EvalRun(
                    set, null, Trainer, options, EventTypes.Default, NullLogger.Instance, null,
                    TestContext.Current.CancellationToken)
            .Run().Judged.Single(j => j.Name == name).Raw["ranks"];
        foreach (var name in (string[])["gnn, learning on", "blend, learning on"])
        {
            var (one, other) = (Ranks(Set, name), Ranks(same, name));
            Assert.Equal(one[..(part - from)], other[..(part - from)]);
            Assert.NotEqual(one, other);
        }
    }

    [Fact]
    public void Fine_tuning_is_judged_on_the_same_events_as_a_full_run()
    {
        var options = new EvalOptions
        {
            Protocol = EvalProtocol.PrequentialStrict, Task = SeenRule.Repeat, Channels = ["gnn"],
            Baselines = false, FineTuned = true,
        };
        var judged = Run(options).Judged;
        var (full, tuned) = (judged.Single(j => j.Name == "gnn"), judged.Single(j => j.Name == "gnn, fine-tuned"));
        Assert.Equal(full.Users, tuned.Users);
        Assert.True(tuned.Metrics["fine_tune_s"] > 0);
        Assert.True(tuned.Metrics["ndcg_10"] > 0.8 * full.Metrics["ndcg_10"], $"full {full.Metrics["ndcg_10"]:f3}, fine-tuned {tuned.Metrics["ndcg_10"]:f3}");
    }

    [Fact]
    public void Lists_of_the_temporal_protocol_count_only_what_is_new_to_the_person()
    {
        var result = Run(new EvalOptions
        {
            Protocol = EvalProtocol.Temporal, Task = SeenRule.Exclude, Split = EvalSplit.Valid,
            Channels = ["popularity", "itemknn"], Seeds = 2,
        });
        var popularity = result.Judged.Single(j => j.Name == "popularity" && j.IsMean);
        var (naive, users) = NaivePopularity();
        Assert.Equal(users, popularity.Users);
        Assert.Equal(naive, popularity.Metrics["recall_20"], 1e-9);
        Assert.Equal(popularity.Users.Order(), result.Judged.Single(j => j.Name == "blend" && j.IsMean).Users.Order()); // the two halves together
    }

    [Fact]
    public void Places_for_new_items_leave_the_first_ten_alone_and_ranks_are_those_of_the_whole_list()
    {
        // Every item counts as new, and the places are drawn: what is judged must be what stands there.
        var options = new EvalOptions
        {
            Protocol = EvalProtocol.PrequentialStrict, Task = SeenRule.Exclude,
            Channels = ["popularity", "markov"], Baselines = false,
        };
        Judged Of(NewItemsConfig kept) =>
            new EvalRun(
                    Set, null, Trainer with { NewItems = kept }, options, EventTypes.Default,
                    NullLogger.Instance, null, TestContext.Current.CancellationToken)
            .Run().Judged.Single(j => j.Name == "blend");
        var (without, with) = (Of(new NewItemsConfig { Share = 0 }), Of(new NewItemsConfig { Share = 1, BelowEvents = int.MaxValue, Temperature = 100 }));
        Assert.Equal(without.Ndcg10, with.Ndcg10);
        Assert.Equal(without.Metrics["hr_10"], with.Metrics["hr_10"]);
        var (before, after) = ((ushort[])without.Raw["ranks"], (ushort[])with.Raw["ranks"]);
        Assert.Equal(before.Select(r => r <= 10 ? r : 0), after.Select(r => r <= 10 ? r : 0));
        Assert.NotEqual(before, after);

        var data = new TrainingData(Set.Snapshot, null, EventTypes.Default, 0);
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>();
        var config = new ModelConfig
        {
            Channels = [ChannelNames.Popularity, ChannelNames.Markov],
            NewItems = new NewItemsConfig { BelowEvents = int.MaxValue, Share = 1, Temperature = 100 },
        };
        ChannelFit.Fit(config, data.FitEvents(Set.Split.ValidEnd), tensors, 1, TestContext.Current.CancellationToken);
        var model = RankingModel.From(new ModelArtifact(
            new ModelManifest
            {
                Name = "places", Version = 1, CreatedAt = DateTimeOffset.UnixEpoch, Config = config,
                Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 0, new Dictionary<string, long>()),
            },
            data.ItemIds, tensors));
        var prequential = new Prequential(data.Log, data.ItemIds, data.Types, SeenRule.Exclude, strict: true);
        var events = prequential.Every(Set.Split.ValidEnd, Set.Split.End, 1);
        var (ranks, _) = prequential.Ranks(model, events, [], TestContext.Current.CancellationToken);
        var inNewPlaces = 0;
        prequential.Visit(model, events, 1, (int k, in RankContext context, int target, RankWorkspace workspace) =>
        {
            var list = model.Rank(context, Prequential.ListLength, workspace).ToArray();
            var place = Array.FindIndex(list, l => l.Item == target);
            Assert.Equal(place < 0 ? Prequential.Missed : place + 1, ranks[Prequential.Blend][k]);
            inNewPlaces += place >= 0 && list[place].IsNew ? 1 : 0;
        }, TestContext.Current.CancellationToken);
        Assert.True(inNewPlaces > 0);
    }

    [Fact]
    public void The_fingerprint_depends_on_every_event()
    {
        var snapshot = Set.Snapshot;
        var changed = new EvaluationSet(
            "tiny",
            snapshot with { TimeMs = [.. snapshot.TimeMs.Select((t, e) => e == snapshot.Count - 1 ? t + 1000 : t)] },
            false);
        Assert.Equal(Set.Fingerprint().TrainSha256Sorted, changed.Fingerprint().TrainSha256Sorted);
        Assert.NotEqual(Set.Fingerprint().TestSha256EventOrder, changed.Fingerprint().TestSha256EventOrder);
    }

    private static EvalResult Run(EvalOptions options) =>
        new EvalRun(Set, null, Trainer, options, EventTypes.Default, NullLogger.Instance, null, TestContext.Current.CancellationToken).Run();

    /// <summary>Recall@20 of the last 30 days' popularity, by its definition.</summary>
    private static (double Recall, int[] Users) NaivePopularity()
    {
        var s = Set.Snapshot;
        var (from, to) = (Set.Split.TrainEnd, Set.Split.ValidEnd);
        var month = s.TimeMs[from - 1] - (30L * 86_400_000);
        int Count(int item, long after) => Enumerable.Range(0, from).Count(e => s.Item[e] == item && s.TimeMs[e] > after);
        var order = Enumerable.Range(0, s.Items.Length)
            .OrderByDescending(i => Count(i, month))
            .ThenByDescending(i => Count(i, long.MinValue))
            .ThenBy(i => i)
            .ToArray();
        var recalls = new SortedDictionary<int, double>();
        for (var u = 0; u < s.Users.Length; u++)
        {
            var seen = Enumerable.Range(0, from).Where(e => s.User[e] == u).Select(e => s.Item[e]).ToHashSet();
            var wanted = Enumerable.Range(from, to - from).Where(e => s.User[e] == u && !seen.Contains(s.Item[e])).Select(e => s.Item[e]).ToHashSet();
            if (seen.Count > 0 && wanted.Count > 0)
                recalls[u] = (double)order.Where(i => !seen.Contains(i)).Take(20).Count(wanted.Contains) / wanted.Count;
        }

        return (recalls.Values.Average(), [.. recalls.Keys]);
    }
}
