using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;
using TorchSharp;

namespace StreamRec.TrainerTests.Training;

public class NeighbourHopTests
{
    private static readonly EncoderConfig Encoder = new() { Dim = 16, Heads = 2, Blocks = 2, Ffn = 32, MaxHistory = 8, Hops = 2, HopTrust = 2 };
    private static readonly NearbyConfig Near = new() { Window = 3, Decay = 0.5f, Shrink = 1 };

    [Fact]
    public void A_pair_that_only_this_user_made_is_no_evidence_in_training_and_one_of_others_is_what_they_made_of_it()
    {
        // User 0 alone joins 0 and 1; 2 and 3 are joined by users 0, 1 and 2. Returns make no edges.
        var log = Log([0, 0, 0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 2, 3, 3, 2]);
        using var edges = new ItemEdges(log, log.Count, EventTypes.Default, Near, 2, torch.CPU);
        using var model = Model(log, edges, out var inputs);
        var batch = Assert.Single(new SequenceSampler(log, log.Count, 8, 1, EventTypes.Default, seed: 0, edges: edges).Epoch(0), b => b.Length == 3);
        var others = Log([1, 1, 2, 2], [2, 3, 3, 2]);
        using var theirs = new ItemEdges(others, others.Count, EventTypes.Default, Near, 2, torch.CPU);
        for (var r = 0; r < 2; r++)
        {
            var left = LeftOut(edges.Relations[r], batch, r, log.Items);
            Assert.Equal([0, 1, 2], batch.Item[..3]);
            for (var q = 0; q < 3; q++)
            {
                for (var i = 0; i < log.Items; i++)
                {
                    // Counts of the normaliser are everybody's.
                    var expected = theirs.Relations[r][q, i].ToSingle() * Norm(others, q, i) / Norm(log, q, i);
                    Assert.Equal(expected, left[q, i], 1e-6f);
                }
            }

            Assert.Equal(0, left[0, 1], 1e-6f);
            Assert.True(edges.Relations[r][0, 1].ToSingle() > 0.1);
            Assert.True(left[2, 3] > 0.1);
        }

        Assert.Contains(model.Parameters, p => p.Name == TensorNames.HopTime);
        inputs.Dispose();
    }

    [Fact]
    public void What_it_adds_in_training_is_the_naive_sum_over_earlier_positions_without_own_pairs()
    {
        var log = EventLog.From(TinyMarket.Create(users: 12, items: 24, eventsPerUser: 14));
        using var edges = new ItemEdges(log, log.Count, EventTypes.Default, Near, 2, torch.CPU);
        using var model = Model(log, edges, out var inputs);
        Scatter(model);
        using var none = torch.no_grad();
        foreach (var batch in new SequenceSampler(log, log.Count, 8, 40, EventTypes.Default, seed: 2, edges: edges).Epoch(0).Take(3))
        {
            using var scope = torch.NewDisposeScope();
            var users = torch.randn(batch.Asked.Length, 16);
            var added = model.Hop!.Gated(users, model.Hop.Evidence(batch, torch.tensor(batch.Asked), edges.Relations, null));
            var p = model.Parameters.ToDictionary(p => p.Name, p => p.Value);
            var gate = users.mm(p[TensorNames.HopGate].t()) + p[TensorNames.HopBias];
            for (var k = 0; k < batch.Asked.Length; k++)
            {
                var (row, t) = ((int)batch.Asked[k] / batch.Length, (int)batch.Asked[k] % batch.Length);
                var sum = new double[log.Items];
                for (var r = 0; r < 2; r++)
                {
                    var left = LeftOut(edges.Relations[r], batch, r, log.Items);
                    for (var i = 0; i < log.Items; i++)
                    {
                        var evidence = 0.0;
                        for (var q = 0; q <= t; q++)
                        {
                            var at = (row * batch.Length) + q;
                            var bucket = batch.Hops!.Time[((row * batch.Length) + t) * batch.Length + q];
                            evidence += Math.Exp(
                                p[TensorNames.HopTime][r, bucket].ToSingle()
                                + p[TensorNames.HopLag][r, t - q].ToSingle()
                                + p[TensorNames.HopValue][r, batch.Value[at]].ToSingle()) * left[at, i];
                        }

                        sum[i] += gate[k, r].ToSingle() * Math.Log(1 + evidence);
                    }
                }

                for (var i = 0; i < log.Items; i++)
                    Assert.Equal(sum[i], added[k, i].ToSingle(), 1e-4);
            }
        }

        inputs.Dispose();
    }

    [Fact]
    public void The_managed_channel_ranks_as_the_trained_model_does()
    {
        var log = EventLog.From(TinyMarket.Create());
        var end = log.Count * 8 / 10;
        using var edges = new ItemEdges(log, end, EventTypes.Default, new NearbyConfig(), 2, torch.CPU);
        using var model = Model(log, edges, out var inputs);
        long[] classes = [.. Enumerable.Range(0, log.Items).Select(i => (long)i)];
        var sampler = new SequenceSampler(log, end, 8, 200, EventTypes.Default, seed: 7, edges: edges);
        new TrainingLoop(model, sampler, classes, new LoopOptions { Epochs = 3, LearningRate = 0.01 }, null)
            .Run(11, null, TestContext.Current.CancellationToken);

        var config = new ModelConfig { Encoder = Encoder, Channels = [ChannelNames.Gnn] };
        var tensors = model.Export();
        ChannelFit.Fit(
            config,
            new FitEvents(log.User[..end], log.Item[..end], log.Type[..end], log.Users, log.Items),
            tensors, 1, TestContext.Current.CancellationToken);
        var served = RankingModel.From(new ModelArtifact(
            new ModelManifest
            {
                Name = "parity", Version = 1, CreatedAt = DateTimeOffset.UnixEpoch, Config = config,
                Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 0, new Dictionary<string, long>()),
            },
            [.. Enumerable.Range(0, log.Items).Select(i => $"i{i}")], tensors));
        var ranker = new EncoderRanker(log, [.. Enumerable.Range(end, log.Count - end)], end, Encoder, SeenRule.Repeat, strict: true);
        var prequential = new Prequential(log, [.. served.ItemIds], EventTypes.Default, SeenRule.Repeat, strict: true);
        var (ranks, _) = prequential.Ranks(served, [.. ranker.Events], [ChannelNames.Gnn], TestContext.Current.CancellationToken, blended: false);
        var expected = ranker.Ranks(model);
        Assert.True(expected.Zip(ranks[ChannelNames.Gnn]).Count(r => r.First == r.Second) >= 0.98 * expected.Length, "ranks differ");
        Assert.Equal(RankMetrics.Of(expected).Ndcg10, RankMetrics.Of(ranks[ChannelNames.Gnn]).Ndcg10, 1e-3);
        inputs.Dispose();
    }

    private static float Norm(EventLog log, int a, int b)
    {
        var counts = log.ItemCounts(log.Count);
        return MathF.Sqrt((float)counts[a] * counts[b]) + Near.Shrink;
    }

    /// <summary>Rows of the batch's items less the user's own part: [positions, items].</summary>
    private static float[,] LeftOut(torch.Tensor relation, SequenceBatch batch, int r, int items)
    {
        var left = new float[batch.Item.Length, items];
        for (var at = 0; at < batch.Item.Length; at++)
        {
            for (var i = 0; i < items; i++)
                left[at, i] = relation[batch.Item[at], i].ToSingle();
        }

        foreach (var (position, item, weight) in batch.Hops!.Own[r])
            left[position, item] -= weight;
        for (var at = 0; at < batch.Item.Length; at++)
        {
            for (var i = 0; i < items; i++)
                left[at, i] = Math.Max(0, left[at, i]);
        }

        return left;
    }

    private static EventLog Log(int[] users, int[] items) => new(
        3, 4, users, items, [.. users.Select(_ => (byte)2)], [.. users.Select(_ => float.NaN)], [.. users.Select((_, e) => 1_000L * (e + 1))]);

    private static GraphRecommender Model(EventLog log, ItemEdges edges, out ItemInputs inputs)
    {
        torch.set_num_threads(1);
        torch.manual_seed(5);
        var graph = CsrGraph.Build(log.Users, log.Items, log.User, log.Item, log.Type, log.Value, log.TimeMs);
        var neighbours = Samplers.RandomWalkNeighbours(graph, new WalkSampling { Width = 5 }, seed: 3);
        inputs = new ItemInputs(
            new ItemFeatures(null, 0, [.. Enumerable.Range(0, log.Items).Select(_ => Array.Empty<int>())], 0),
            neighbours,
            [.. Enumerable.Repeat(true, log.Items)],
            torch.CPU)
        {
            Relations = edges,
        };
        return new GraphRecommender(Encoder, new ItemModelOptions { Layer = GraphLayer.None }, inputs, 0.1);
    }

    /// <summary>Tables with a different number in every row.</summary>
    private static void Scatter(GraphRecommender model)
    {
        using var none = torch.no_grad();
        foreach (var (name, parameter) in model.Parameters)
        {
            if (name.StartsWith("user.hop.", StringComparison.Ordinal))
                parameter.copy_(torch.randn(parameter.shape) * 0.5);
        }
    }
}
