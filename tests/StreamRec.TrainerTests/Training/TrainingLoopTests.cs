using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Training;

public class TrainingLoopTests
{
    private static readonly EncoderConfig Encoder = new() { Dim = 16, Ffn = 32, MaxHistory = 12, AttributeRows = 5 };

    [Theory]
    [InlineData(GraphLayer.None)]
    [InlineData(GraphLayer.PinSage)]
    [InlineData(GraphLayer.Gat)]
    [InlineData(GraphLayer.GatV2)]
    public void Training_learns_what_popularity_cannot_know(GraphLayer layer)
    {
        using var run = new Run(layer);
        var before = RankMetrics.Of(run.Ranker.Ranks(run.Model)).Ndcg10;
        var result = run.Train(new LoopOptions { Epochs = 25, LearningRate = 0.01, LabelSmoothing = 0.02 });
        Assert.Equal(25, result.Epochs);
        var after = RankMetrics.Of(run.Ranker.Ranks(run.Model));
        Assert.True(after.Ndcg10 > before + 0.2 && after.Hr10 > 0.7, $"{layer}: NDCG@10 {before:f3} before, {after.Ndcg10:f3} after, HR@10 {after.Hr10:f3}");
    }

    [Fact]
    public void The_same_seed_gives_the_same_weights_bit_for_bit()
    {
        using var first = new Run(GraphLayer.PinSage);
        using var second = new Run(GraphLayer.PinSage);
        var options = new LoopOptions { Epochs = 2 };
        first.Train(options);
        second.Train(options);
        Assert.Equal(first.Model.Save().SelectMany(x => x), second.Model.Save().SelectMany(x => x));
    }

    [Fact]
    public void A_run_resumed_from_its_checkpoint_ends_like_one_that_was_never_stopped()
    {
        var directory = Directory.CreateTempSubdirectory("streamrec-checkpoint-");
        try
        {
            using var whole = new Run(GraphLayer.Gat);
            whole.Train(new LoopOptions { Epochs = 4 });

            var options = new LoopOptions { Epochs = 4, CheckpointPath = Path.Combine(directory.FullName, "run.ckpt") };
            using var stopped = new Run(GraphLayer.Gat);
            using var kill = new CancellationTokenSource();
            Assert.Throws<OperationCanceledException>(() => stopped.Train(options, metrics =>
            {
                if (metrics["epoch"] >= 3)
                    kill.Cancel();
            }, kill));
            using var resumed = new Run(GraphLayer.Gat);
            torch.manual_seed(99); // the checkpoint, not the process, decides how the run goes on
            resumed.Train(options);

            Assert.Equal(whole.Model.Save().SelectMany(x => x), resumed.Model.Save().SelectMany(x => x));
            Assert.Empty(directory.GetFiles());
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_time_limit_ends_the_run_and_says_so()
    {
        using var run = new Run(GraphLayer.None);
        var result = run.Train(new LoopOptions { Epochs = 100_000, MaxSeconds = 0.5 });
        Assert.Equal("time", result.StoppedBy);
        Assert.InRange(result.Epochs, 1, 99_999);
    }

    [Fact]
    public void A_run_that_diverges_names_the_epoch_and_the_learning_rate()
    {
        using var run = new Run(GraphLayer.None);
        using (torch.no_grad())
            run.Model.Parameters[0].Value.fill_(float.NaN);
        var error = Assert.Throws<TrainingDivergedException>(() => run.Train(new LoopOptions { Epochs = 1 }));
        Assert.Contains("epoch 1, step 1", error.Message, StringComparison.Ordinal);
        Assert.Contains("LearningRate", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_sampled_softmax_of_large_catalogues_learns_too()
    {
        using var run = new Run(GraphLayer.None);
        run.Train(new LoopOptions { Epochs = 25, LearningRate = 0.01, FullSoftmaxItems = 10, Negatives = 20 });
        var after = RankMetrics.Of(run.Ranker.Ranks(run.Model));
        Assert.True(after.Hr10 > 0.7, $"HR@10 {after.Hr10:f3}");
    }

    [Fact]
    public void The_managed_encoder_gives_the_same_user_vectors()
    {
        using var run = new Run(GraphLayer.Gat);
        run.Train(new LoopOptions { Epochs = 1, LearningRate = 0.02 });
        var tensors = run.Model.Export();
        tensors[TensorNames.ItemCount] = ([run.Log.Items], new float[run.Log.Items]);
        var artifact = new ModelArtifact(
            new ModelManifest
            {
                Name = "parity", Version = 1, CreatedAt = DateTimeOffset.UnixEpoch,
                Config = new ModelConfig { Encoder = Encoder, Channels = [ChannelNames.Gnn] },
                Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 0, new Dictionary<string, long>()),
            },
            [.. Enumerable.Range(0, run.Log.Items).Select(i => $"i{i}")], tensors);
        var managed = new UserEncoder(artifact);
        var workspace = new EncoderWorkspace();
        var vector = new float[Encoder.Dim];
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        run.Model.Train(false);
        var items = run.Model.Items.forward(run.Model.Inputs);
        for (var u = 0; u < run.Log.Users; u++)
        {
            var events = run.Log.EventsOf(u)[..(1 + (u % run.Log.EventsOf(u).Length))];
            UserEvent[] history = [.. events.ToArray().Select(e => run.Log.Edge(e) with { Value = u % 7 })];
            var now = history[^1].TimeMs + (u * 77_000L);
            Assert.True(managed.Encode(history, now, workspace, vector, run.Log.AttributesOf(u)));

            var rows = new UserSequence.Row[Encoder.MaxHistory];
            var count = UserSequence.Fill(history, now, run.Log.Items, rows, new int[rows.Length]);
            var batch = new SequenceBatch(1, count) { Asked = [], Target = [] };
            batch.SetUser(0, run.Log, u);
            for (var t = 0; t < count; t++)
                batch.Set(0, t, rows[t]);
            var torchVector = run.Model.Users.forward(items, batch.ToInput(torch.CPU))[0, count - 1].data<float>().ToArray();
            for (var c = 0; c < vector.Length; c++)
                Assert.Equal(torchVector[c], vector[c], 1e-4f);
        }
    }

    private sealed class Run : IDisposable
    {
        private readonly SequenceSampler _sampler;
        private readonly long[] _classes;

        public Run(GraphLayer layer)
        {
            torch.set_num_threads(1);
            var market = TinyMarket.Create();
            var attributes = new UserAttributes(["pace=slow", "pace=quick", "age>=0", "age>=20", "age>=40"]);
            Log = EventLog.From(market, attributes);
            var end = Log.Count * 8 / 10;
            var graph = CsrGraph.Build(Log.Users, Log.Items, Log.User[..end], Log.Item[..end], Log.Type[..end], Log.Value[..end], Log.TimeMs[..end]);
            var neighbours = Samplers.RandomWalkNeighbours(graph, new WalkSampling { Width = 5 }, seed: 3);
            Inputs = new ItemInputs(new ItemFeatures(null, 0, [.. Enumerable.Range(0, Log.Items).Select(i => new[] { i / 8 })], 5), neighbours, [.. Log.ItemCounts(end).Select(n => n > 0)], torch.CPU);
            torch.manual_seed(5);
            Model = new GraphRecommender(Encoder, new ItemModelOptions { Layer = layer, Dropout = 0.1 }, Inputs, 0.1);
            _sampler = new SequenceSampler(Log, end, Encoder.MaxHistory, 200, EventTypes.Default, seed: 7);
            _classes = [.. Enumerable.Range(0, Log.Items).Select(i => (long)i)];
            Ranker = new EncoderRanker(Log, [.. Enumerable.Range(end, Log.Count - end)], end, Encoder, SeenRule.Repeat, strict: true);
        }

        public EventLog Log { get; }
        public ItemInputs Inputs { get; }
        public GraphRecommender Model { get; }
        public EncoderRanker Ranker { get; }

        public LoopResult Train(LoopOptions options, Action<IReadOnlyDictionary<string, double>>? progress = null, CancellationTokenSource? kill = null) =>
            new TrainingLoop(Model, _sampler, _classes, options, null).Run(11, (_, metrics) => progress?.Invoke(metrics), kill?.Token ?? TestContext.Current.CancellationToken);

        public void Dispose()
        {
            Model.Dispose();
            Inputs.Dispose();
        }
    }
}
