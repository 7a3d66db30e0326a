using System.Globalization;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Bench;

/// <summary>
/// Examples per second of training: the sequence model through the project's own training loop, and graph attention over the whole graph, each beside the
/// matrix products of the same number of operations and, where a command is given, beside another program in turn.
/// </summary>
public sealed class TrainBench
{
    private readonly GraphSnapshot _snapshot;
    private readonly BenchLog _log;
    private readonly Peer? _sequencePeer, _graphPeer;
    private readonly int _rounds;
    private readonly double _seconds;

    /// <param name="snapshot">Of which the first nine tenths are learned.</param>
    /// <param name="log">Receives the numbers.</param>
    /// <param name="sequencePeer">A command that trains the same sequence model and prints <c>{"examples_per_s": …}</c>; null for none.</param>
    /// <param name="graphPeer">The same for graph attention.</param>
    /// <param name="rounds">Turns.</param>
    /// <param name="seconds">Length of one measurement of a turn.</param>
    public TrainBench(GraphSnapshot snapshot, BenchLog log, string? sequencePeer = null, string? graphPeer = null, int rounds = 3, double seconds = 10)
    {
        (_snapshot, _log, _rounds, _seconds) = (snapshot, log, rounds, seconds);
        _sequencePeer = sequencePeer is null ? null : new Peer(sequencePeer, "examples_per_s");
        _graphPeer = graphPeer is null ? null : new Peer(graphPeer, "examples_per_s");
    }

    public void Run(int threads, CancellationToken ct)
    {
        TorchRuntime.Prepare(threads);
        var data = new TrainingData(_snapshot, null, EventTypes.Default, 0);
        var end = data.Log.Count * 9 / 10;
        var how = string.Create(CultureInfo.InvariantCulture,
            $"{end:N0} events, {data.Log.Users:N0} users, {data.Log.Items:N0} items, {get_num_threads()} threads, median of {_rounds} turns");
        _log.Add(Sequence(data, end, how, ct));
        _log.Add(Graph(data, end, how, ct));
    }

    private List<BenchResult> Sequence(TrainingData data, int end, string how, CancellationToken ct)
    {
        var encoder = new EncoderConfig { Dim = 64, Heads = 2, Blocks = 2, Ffn = 64, MaxHistory = 50 };
        using var inputs = new ItemInputs(data.Features, data.Neighbours(end, 1, 0, 1, ct), data.Touched(end), torch.CPU);
        using var model = new GraphRecommender(encoder, new ItemModelOptions { Layer = GraphLayer.None, IdDropout = 0 }, inputs, 0.2);
        var sampler = new SequenceSampler(data.Log, end, encoder.MaxHistory, 3_200, data.Types, 0);
        long[] classes = [.. sampler.ItemCounts.Index().Where(c => c.Item > 0).Select(c => (long)c.Index)];
        double Train(double seconds)
        {
            var result = new TrainingLoop(
                    model, sampler, classes,
                    new LoopOptions { Epochs = 100_000, MaxSeconds = seconds, LabelSmoothing = 0, LearningRate = 0.001 },
                    null)
                .Run(0, null, ct);
            return result.Targets / result.Seconds;
        }

        Train(_seconds / 5);
        List<double> ours = [], products = [], peers = [];
        for (var round = 0; round < _rounds; round++)
        {
            products.Add(Rounds.Rate(_seconds / 4, () => Products(classes.Length), ct));
            ours.Add(Train(_seconds));
            if (_sequencePeer is not null)
                peers.Add(_sequencePeer.Run(ct));
            _log.Say(string.Create(CultureInfo.InvariantCulture,
                $"sequences, round {round + 1}: {ours[^1]:N0} examples/s, products {products[^1]:N0}{(peers.Count > 0 ? $", peer {peers[^1]:N0}" : "")}"));
        }

        List<BenchResult> rows =
        [
            Rounds.Row("train_examples", "examples/s", ours, products,
                $"training loop, user encoder of 2 blocks, 64 wide, full softmax, 3,200 positions a batch; "
                + $"an example is a predicted event; {how}; "
                + "limit: the model's matrix products, forward and backward, alone"),
        ];
        if (peers.Count > 0)
            rows.Add(Rounds.Row("train_examples_vs_peer", "examples/s", ours, peers, "train_examples; limit: the peer's, run in turn with it"));
        return rows;
    }

    private List<BenchResult> Graph(TrainingData data, int end, string how, CancellationToken ct)
    {
        long[] pairs = [.. Enumerable.Range(0, end).Select(e => ((long)data.Log.User[e] << 32) | (uint)data.Log.Item[e]).Distinct()];
        using var trainer = new GatTrainer([.. pairs.Select(p => (int)(p >> 32))], [.. pairs.Select(p => (int)p)], data.Log.Users, data.Log.Items);
        List<double> ours = [], peers = [];
        for (var round = 0; round < _rounds; round++)
        {
            ours.Add(Rounds.Rate(_seconds, () => trainer.Epoch(ct), ct));
            if (_graphPeer is not null)
                peers.Add(_graphPeer.Run(ct));
            _log.Say(string.Create(CultureInfo.InvariantCulture,
                $"graph attention, round {round + 1}: {ours[^1]:N0} examples/s{(peers.Count > 0 ? $", peer {peers[^1]:N0}" : "")}"));
        }

        var gat = $"2 layers of GAT both ways over {pairs.Length:N0} edges, 2 heads, 64 wide, batches of 8,192 pairs; an example is a pair; {how}";
        return peers.Count == 0
            ? [BenchResult.Alone("train_gat_examples", Rounds.Median(ours), "examples/s", gat)]
            : [Rounds.Row("train_gat_examples_vs_peer", "examples/s", ours, peers, $"{gat}; limit: the peer's, run in turn with it")];
    }

    /// <summary>Forward and backward products of 3,200 positions: three times 12 of [3200, 64] × [64, 64] and one of [3200, 64] × [64, items].</summary>
    private static double Products(int items)
    {
        const int Positions = 3_200, Width = 64;
        using var grad = no_grad();
        using var scope = NewDisposeScope();
        var (x, w, table) = (randn(Positions, Width), randn(Width, Width), randn(Width, items));
        for (var pass = 0; pass < 3; pass++)
        {
            for (var k = 0; k < 12; k++)
                x.mm(w).Dispose();
            x.mm(table).Dispose();
        }

        return Positions;
    }
}
