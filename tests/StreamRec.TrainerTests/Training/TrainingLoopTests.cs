using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Layers;
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
    public void Products_in_bfloat16_give_the_same_gradients_within_its_rounding_and_train_float32_weights_as_well()
    {
        using var full = new Run(GraphLayer.None, dropout: 0);
        using var narrow = new Run(GraphLayer.None, dropout: 0, precision: Precision.BFloat16);
        var (expected, given) = (FirstGradient(full), FirstGradient(narrow));
        var error = Math.Sqrt(expected.Zip(given).Sum(p => Math.Pow(p.First - p.Second, 2)) / expected.Sum(x => x * x));
        // Each operand is off by up to 2⁻⁹; at the start the gradients are small differences of such products.
        Assert.InRange(error, 1e-4, 0.05);

        narrow.Train(new LoopOptions { Epochs = 25, LearningRate = 0.01, LabelSmoothing = 0.02 });
        Assert.All(narrow.Model.Parameters, p => Assert.Equal(ScalarType.Float32, p.Value.dtype));
        var beyond = narrow.Model.Save().SelectMany(x => x).Count(w => (BitConverter.SingleToUInt32Bits(w) & 0xFFFF) != 0);
        Assert.True(beyond > narrow.Model.ParameterCount / 2, $"only {beyond} of {narrow.Model.ParameterCount} weights have more bits than bfloat16");
        var learned = RankMetrics.Of(narrow.Ranker.Ranks(narrow.Model));
        Assert.True(learned.Hr10 > 0.7, $"HR@10 {learned.Hr10:f3}");
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

    [Theory]
    [InlineData(0, 1, 20_000)]
    [InlineData(0.9, 1, 20_000)]
    [InlineData(0, 2, 20_000)]
    [InlineData(0, 1, 10)]
    public void A_run_resumed_from_its_checkpoint_ends_like_one_that_was_never_stopped(double average, int accumulate, int fullSoftmaxItems)
    {
        var directory = Directory.CreateTempSubdirectory("streamrec-checkpoint-");
        try
        {
            using var whole = new Run(GraphLayer.Gat);
            var plain = new LoopOptions { Epochs = 4, Average = average, Accumulate = accumulate, FullSoftmaxItems = fullSoftmaxItems, Negatives = 20 };
            whole.Train(plain);

            var options = plain with { CheckpointPath = Path.Combine(directory.FullName, "run.ckpt") };
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
    public void Accumulated_batches_give_the_gradient_of_all_their_targets_together()
    {
        using var run = new Run(GraphLayer.None, dropout: 0);
        run.Model.Train(true);
        var options = new LoopOptions { Epochs = 1, Accumulate = int.MaxValue / 2 };
        using var scope = torch.NewDisposeScope();
        using var objective = new SoftmaxObjective(run.Model, run.Sampler, run.Classes, options);
        var batches = run.Sampler.Epoch(0);
        Assert.True(batches.Count > 3);
        var total = batches.Sum(b => (double)b.Target.Length);
        var mean = batches.Select(b => objective.Loss(b) * (b.Target.Length / total)).Aggregate((a, b) => a + b);
        var gradients = torch.autograd.grad([mean], [.. run.Model.Parameters.Select(p => p.Value)], allow_unused: true);
        var expected = Math.Sqrt(gradients.Where(g => g is not null).Sum(g => g.square().sum().ToDouble()));
        var norm = double.NaN;
        var result = run.Train(options, metrics => norm = metrics["gradient_norm_mean"]);
        Assert.Equal(1, result.Steps);
        Assert.Equal(expected, norm, 1e-4 * expected);
        Assert.Equal(mean.ToDouble(), result.Loss, 1e-5);
    }

    [Fact]
    public void The_adversarial_step_is_taken_back_and_adds_a_second_gradient()
    {
        double Norm(double epsilon)
        {
            using var run = new Run(GraphLayer.None, dropout: 0);
            var norm = double.NaN;
            run.Train(
                new LoopOptions { Epochs = 1, Accumulate = 1000, Adversarial = epsilon, LearningRate = 0 },
                metrics => norm = metrics["gradient_norm_mean"]);
            using var untouched = new Run(GraphLayer.None, dropout: 0);
            Assert.All(
                run.Model.Save().SelectMany(x => x).Zip(untouched.Model.Save().SelectMany(x => x)),
                pair => Assert.Equal(pair.Second, pair.First, 1e-5f));
            return norm;
        }

        var plain = Norm(0);
        Assert.Equal(2 * plain, Norm(1e-6), 1e-3 * plain);
        Assert.NotEqual(2 * plain, Norm(2), 1e-2 * plain);
        using var learned = new Run(GraphLayer.None);
        learned.Train(new LoopOptions { Epochs = 25, LearningRate = 0.01, LabelSmoothing = 0.02, Adversarial = 0.3 });
        Assert.True(RankMetrics.Of(learned.Ranker.Ranks(learned.Model)).Hr10 > 0.7);
    }

    [Fact]
    public void Averaged_weights_are_what_is_kept_and_rank_as_well()
    {
        using var run = new Run(GraphLayer.PinSage);
        run.Train(new LoopOptions { Epochs = 25, LearningRate = 0.01, LabelSmoothing = 0.02, Average = 0.95 });
        Assert.True(RankMetrics.Of(run.Ranker.Ranks(run.Model)).Hr10 > 0.7);

        using var scope = torch.NewDisposeScope();
        var weight = new TorchSharp.Modules.Parameter(torch.zeros(2));
        using var average = new WeightAverage([weight], 0.5);
        var expected = 0.0;
        for (var step = 1; step <= 20; step++)
        {
            using (torch.no_grad())
                weight.fill_(step);
            average.Update(step);
            var keep = Math.Min(0.5, (1.0 + step) / (10 + step));
            expected = (keep * expected) + ((1 - keep) * step);
        }

        average.Exchange();
        Assert.Equal((float)expected, weight.detach()[0].item<float>(), 1e-5f);
        average.Exchange();
        Assert.Equal(20f, weight.detach()[0].item<float>());
    }

    [Fact]
    public void Explosions_and_dead_units_are_told_once_with_their_place()
    {
        using var scope = torch.NewDisposeScope();
        var alarms = new Alarms(["user.blocks.0.ffn.0.weight", "train.items.id"]);
        Tensor?[] Gradients(float unit) => [torch.tensor(new[] { 1f, 2f, unit, unit }, new long[] { 2, 2 }), torch.zeros(3, 2)];
        for (var step = 0; step < 4; step++)
            alarms.Observe(Gradients(step == 2 ? 1 : 0), 1, 0, step);
        alarms.EndEpoch(0, 1);
        Assert.Empty(alarms.Raised);
        Assert.Equal(0, alarms.DeadUnits);
        alarms.Observe(Gradients(0), 60, 1, 4);
        alarms.Observe(Gradients(0), 70, 1, 5);
        Assert.Equal(2, alarms.Explosions);
        alarms.EndEpoch(1, 65);
        Assert.Equal(0.5, alarms.DeadUnits);
        Assert.Collection(alarms.Raised,
            told => Assert.Contains("epoch 2, step 5", told, StringComparison.Ordinal),
            told => Assert.Contains("1 of 2 units of 'user.blocks.0.ffn.0.weight'", told, StringComparison.Ordinal));
    }

    [Fact]
    public void Each_epoch_tells_gradients_activations_and_dead_units()
    {
        using var run = new Run(GraphLayer.Gat);
        var seen = new List<IReadOnlyDictionary<string, double>>();
        var result = run.Train(new LoopOptions { Epochs = 2 }, seen.Add);
        Assert.Empty(result.Alarms);
        Assert.All(seen, metrics => Assert.All(
            new[] { "gradient_norm_mean", "gradient_norm_max", "activation_item_std", "activation_item_max", "activation_user_std", "activation_user_max" },
            name => Assert.True(metrics[name] > 0, name)));
        Assert.All(seen, metrics => Assert.Equal(0, metrics["dead_units"]));
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

    [Theory]
    [InlineData(GraphLayer.None)]
    [InlineData(GraphLayer.PinSage)]
    public void The_sampled_softmax_of_large_catalogues_learns_too(GraphLayer layer)
    {
        using var run = new Run(layer);
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
        var items = run.Model.ItemVectors();
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

    [Fact]
    public void With_a_copy_head_a_repeat_buyers_next_item_is_told_by_their_own_edges_and_the_managed_channel_scores_alike()
    {
        var market = TinyMarket.Favourites();
        using var plain = new Run(GraphLayer.None, market: market);
        using var copying = new Run(GraphLayer.None, encoder: Encoder with { Copy = true }, market: market);
        foreach (var run in (Run[])[plain, copying])
            run.Train(new LoopOptions { Epochs = 6, LearningRate = 0.01, LabelSmoothing = 0.02 });
        double Quality(Run run) => RankMetrics.Of(run.Ranker.Ranks(run.Model)).Ndcg10;
        Assert.True(Quality(copying) > Quality(plain) + 0.1, $"with {Quality(copying):f3}, without {Quality(plain):f3}");

        var tensors = copying.Model.Export();
        tensors[TensorNames.ItemCount] = ([copying.Log.Items], new float[copying.Log.Items]);
        var model = RankingModel.From(new ModelArtifact(
            new ModelManifest
            {
                Name = "parity", Version = 1, CreatedAt = DateTimeOffset.UnixEpoch,
                Config = new ModelConfig { Encoder = Encoder with { Copy = true }, Channels = [ChannelNames.Gnn] },
                Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 0, new Dictionary<string, long>()),
            },
            [.. Enumerable.Range(0, copying.Log.Items).Select(i => $"i{i}")], tensors));
        var ranks = copying.Ranker.Ranks(copying.Model);
        var prequential = new Prequential(copying.Log, [.. model.ItemIds], EventTypes.Default, SeenRule.Repeat, strict: true);
        var (own, _) = prequential.Ranks(model, [.. copying.Ranker.Events], [ChannelNames.Gnn], TestContext.Current.CancellationToken, blended: false);
        Assert.Equal(ranks.Count(r => r == 1), own[ChannelNames.Gnn].Count(r => r == 1));
        Assert.Equal(RankMetrics.Of(ranks).Mrr20, RankMetrics.Of(own[ChannelNames.Gnn]).Mrr20, 3);
    }

    private static float[] FirstGradient(Run run)
    {
        run.Model.Train(true);
        using var scope = torch.NewDisposeScope();
        using var objective = new SoftmaxObjective(run.Model, run.Sampler, run.Classes, new LoopOptions());
        var gradients = torch.autograd.grad([objective.Loss(run.Sampler.Epoch(0)[0])], [.. run.Model.Parameters.Select(p => p.Value)], allow_unused: true);
        return [.. gradients.Where(g => g is not null).SelectMany(g => g.contiguous().data<float>().ToArray())];
    }

    private sealed class Run : IDisposable
    {
        public Run(GraphLayer layer, double dropout = 0.1, EncoderConfig? encoder = null, GraphSnapshot? market = null, Precision precision = Precision.Full)
        {
            torch.set_num_threads(1);
            encoder ??= Encoder;
            market ??= TinyMarket.Create();
            var attributes = new UserAttributes(["pace=slow", "pace=quick", "age>=0", "age>=20", "age>=40"]);
            Log = EventLog.From(market, attributes);
            var end = Log.Count * 8 / 10;
            var graph = CsrGraph.Build(Log.Users, Log.Items, Log.User[..end], Log.Item[..end], Log.Type[..end], Log.Value[..end], Log.TimeMs[..end]);
            var neighbours = Samplers.RandomWalkNeighbours(graph, new WalkSampling { Width = 5 }, seed: 3);
            Inputs = new ItemInputs(
                new ItemFeatures(null, 0, [.. Enumerable.Range(0, Log.Items).Select(i => new[] { i / 8 })], 5),
                neighbours,
                [.. Log.ItemCounts(end).Select(n => n > 0)],
                torch.CPU);
            torch.manual_seed(5);
            Model = new GraphRecommender(
                encoder,
                new ItemModelOptions { Layer = layer, Dropout = dropout, IdDropout = dropout },
                Inputs,
                dropout, precision: precision);
            Sampler = new SequenceSampler(Log, end, encoder.MaxHistory, 200, EventTypes.Default, seed: 7, copies: encoder.Copy);
            Classes = [.. Enumerable.Range(0, Log.Items).Select(i => (long)i)];
            Ranker = new EncoderRanker(Log, [.. Enumerable.Range(end, Log.Count - end)], end, encoder, SeenRule.Repeat, strict: true);
        }

        public EventLog Log { get; }
        public ItemInputs Inputs { get; }
        public GraphRecommender Model { get; }
        public EncoderRanker Ranker { get; }
        public SequenceSampler Sampler { get; }
        public long[] Classes { get; }

        public LoopResult Train(LoopOptions options, Action<IReadOnlyDictionary<string, double>>? progress = null, CancellationTokenSource? kill = null) =>
            new TrainingLoop(Model, Sampler, Classes, options, null)
                .Run(
                    11,
                    (_, metrics) => progress?.Invoke(metrics),
                    kill?.Token ?? TestContext.Current.CancellationToken);

        public void Dispose()
        {
            Model.Dispose();
            Inputs.Dispose();
        }
    }
}
