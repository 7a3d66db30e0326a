using System.Globalization;
using StreamRec.Sources.Simulator;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Bench;

/// <summary>
/// The text encoder at all-MiniLM-L6-v2's size (random weights: speed does not depend on them) beside matrix products of the same number of operations, and
/// the tokenizer beside one table look-up per character.
/// </summary>
public sealed class TextBench
{
    private const int Batch = 32, Tokens = 64, Hidden = 384, Wide = 1536, Layers = 6;
    private static readonly string[] SpecialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    private readonly BenchLog _log;
    private readonly Peer? _peer;
    private readonly int _rounds;
    private readonly double _seconds;

    /// <param name="log">Receives the numbers.</param>
    /// <param name="peer">A command that prints <c>{"tokens_per_s": …}</c> for the same batch, run in turn with ours; null for none.</param>
    /// <param name="rounds">Turns.</param>
    /// <param name="seconds">Length of one measurement of a turn.</param>
    public TextBench(BenchLog log, string? peer = null, int rounds = 3, double seconds = 4) =>
        (_log, _peer, _rounds, _seconds) = (log, peer is null ? null : new Peer(peer, "tokens_per_s"), rounds, seconds);

    public void Run(int threads, CancellationToken ct)
    {
        TorchRuntime.Prepare(threads);
        _log.Add(Tokenizing(ct));
        _log.Add(Encoding(ct));
    }

    private List<BenchResult> Encoding(CancellationToken ct)
    {
        manual_seed(0);
        var config = new BertConfig { VocabSize = 30_522, HiddenSize = Hidden, Layers = Layers, Heads = 12, IntermediateSize = Wide };
        var vocabulary = new WordPieceVocabulary([.. SpecialTokens, .. Enumerable.Range(0, 30_517).Select(i => $"w{i}")]);
        using var model = new BertEncoder(config);
        using var encoder = new SentenceEncoder(new WordPieceTokenizer(vocabulary), model, Pooling.Mean, 512, null, "bench");
        var random = new Random(1);
        int[][] ids = [.. Enumerable.Range(0, Batch).Select(_ => Enumerable.Range(0, Tokens).Select(_ => random.Next(999, 30_000)).ToArray())];
        // Lengths of product titles: 4 to 24 pieces.
        int[][] mixed = [.. Enumerable.Range(0, 512).Select(_ => Enumerable.Range(0, random.Next(4, 25)).Select(_ => random.Next(999, 30_000)).ToArray())];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = ct };
        List<double> ours = [], titles = [], torchSharp = [], products = [], peers = [];
        for (var round = 0; round < _rounds; round++)
        {
            products.Add(Rounds.Rate(_seconds, Products, ct));
            ours.Add(Rounds.Rate(_seconds, () => Encoded(encoder, ids, parallel), ct));
            titles.Add(Rounds.Rate(_seconds, () => Encoded(encoder, mixed, parallel), ct));
            torchSharp.Add(Rounds.Rate(_seconds, () => Forward(model, ids), ct));
            if (_peer is not null)
                peers.Add(_peer.Run(ct));
            _log.Say(string.Create(CultureInfo.InvariantCulture,
                $"round {round + 1}: {ours[^1]:N0} tokens/s, products {products[^1]:N0}, "
                + $"torch {torchSharp[^1]:N0}{(peers.Count > 0 ? $", peer {peers[^1]:N0}" : "")}"));
        }

        var threads = $"{get_num_threads()} threads, float32, median of {_rounds} turns";
        const string Size = "6 layers, 384 wide, 12 heads, inner 1,536";
        List<BenchResult> rows =
        [
            Rounds.Row("text_encode", "tokens/s", ours, products,
                $"{Size}, 32 texts of 64 tokens, mean pooling, {threads}; limit: the layers' four matrix products alone, by libtorch"),
            Rounds.Row("text_encode_titles", "tokens/s", titles, products,
                $"the same over texts of 4 to 24 tokens; limit: the same products, whole batches of 64"),
            Rounds.Row("text_encode_torchsharp", "tokens/s", torchSharp, products,
                $"the same batch of 64 through the TorchSharp model that is used for training; limit: the same products"),
        ];
        if (peers.Count > 0)
            rows.Add(Rounds.Row("text_encode_vs_peer", "tokens/s", ours, peers, "text_encode; limit: the peer's tokens/s, run in turn with it"));
        return rows;
    }

    private static double Encoded(SentenceEncoder encoder, int[][] ids, ParallelOptions parallel)
    {
        encoder.Encode(ids, parallel, null);
        return ids.Sum(i => i.Length);
    }

    private static double Forward(BertEncoder model, int[][] ids)
    {
        using var grad = no_grad();
        using var scope = NewDisposeScope();
        var (tokens, mask) = SentenceEncoder.Pad(ids, 0);
        BertEncoder.Pool(model.forward(tokens, mask), mask, Pooling.Mean);
        return Batch * Tokens;
    }

    /// <summary>Query, key and value in one, the output projection, up and down, for every layer; attention itself is left out.</summary>
    private static double Products()
    {
        using var grad = no_grad();
        using var scope = NewDisposeScope();
        var (x, wide) = (randn(Batch * Tokens, Hidden), randn(Batch * Tokens, Wide));
        var (qkv, attended, up, down) = (randn(Hidden, 3 * Hidden), randn(Hidden, Hidden), randn(Hidden, Wide), randn(Wide, Hidden));
        for (var i = 0; i < 4 * Layers; i++) // four passes a call, so that making the operands does not count
        {
            x.mm(qkv).Dispose();
            x.mm(attended).Dispose();
            x.mm(up).Dispose();
            wide.mm(down).Dispose();
        }

        return 4 * Batch * Tokens;
    }

    private List<BenchResult> Tokenizing(CancellationToken ct)
    {
        var items = new Market(new SimulatorOptions { Items = 2_000 }, new Random(3)).OnSale.Select(i => TextEncoder.TextOf(i.Record)).ToArray();
        var tokenizer = new WordPieceTokenizer(WordPieceTrainer.Train(items, 4_096, ct: ct));
        var ids = new List<int>(4_096);
        var characters = items.Sum(t => (double)t.Length);
        double Tokens()
        {
            var count = 0;
            foreach (var text in items)
            {
                ids.Clear();
                tokenizer.Append(text, ids);
                count += ids.Count;
            }

            return count;
        }

        var perPass = Tokens();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Tokens();
        var allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / perPass;
        List<double> ours = [], lookups = [];
        for (var round = 0; round < _rounds; round++)
        {
            ours.Add(Rounds.Rate(_seconds / 4, Tokens, ct));
            lookups.Add(Rounds.Rate(_seconds / 4, () => LookUps(items) > 0 ? perPass : 0, ct));
        }

        return
        [
            Rounds.Row("tokenize", "tokens/s", ours, lookups,
                string.Create(CultureInfo.InvariantCulture,
                    $"one core, {items.Length} catalogue texts of {characters / items.Length:0} characters, {characters / perPass:0.0} characters a token, "
                    + $"vocabulary {tokenizer.Vocabulary.Count}; limit: one table look-up per character")),
            BenchResult.Alone("tokenize_alloc", allocated, "bytes/token", "allocated on the managed heap while tokenizing into a list of the caller"),
        ];
    }

    private static readonly byte[] Table = [.. Enumerable.Range(0, char.MaxValue + 1).Select(c => (byte)(1 + (c & 7)))];

    private static long LookUps(string[] texts)
    {
        var sum = 0L;
        foreach (var text in texts)
        {
            foreach (var c in text)
                sum += Table[c];
        }

        return sum;
    }
}
