using System.Numerics.Tensors;
using System.Security.Cryptography;
using System.Text.Json;
using StreamRec.Model;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace StreamRec.Trainer.Text;

/// <summary>
/// Texts to L2-normalised sentence vectors: tokenizer, <see cref="BertEncoder"/>, pooling. Opens a folder in Hugging Face's layout (config.json, vocab.txt,
/// model.safetensors, and where present tokenizer_config.json, sentence_bert_config.json, 1_Pooling/config.json). Encoding is thread-safe.
/// </summary>
public sealed class SentenceEncoder : IDisposable
{
    /// <summary>
    /// Tokens that go through all layers together on one thread, unless one text
    /// has more: with 384 wide states they stay in the second-level cache.
    /// </summary>
    private const int ShareTokens = 96;

    /// <summary>Tensor in model.safetensors that is subtracted from each pooled vector, see <see cref="TextPretrainer"/>.</summary>
    internal const string CentreName = "pooling.centre";
    private readonly float[]? _centre;
    private readonly Lazy<BertInference> _inference;

    internal SentenceEncoder(WordPieceTokenizer tokenizer, BertEncoder encoder, Pooling pooling, int maxTokens, float[]? centre, string digest)
    {
        (Tokenizer, Encoder, Pooling, MaxTokens, _centre, Digest) = (tokenizer, encoder, pooling, maxTokens, centre, digest);
        encoder.eval();
        _inference = new Lazy<BertInference>(() => new BertInference(encoder.Config, encoder.Export()));
    }

    public WordPieceTokenizer Tokenizer { get; }
    public BertEncoder Encoder { get; }
    public Pooling Pooling { get; }

    /// <summary>Longer texts are cut.</summary>
    public int MaxTokens { get; }

    public int Dimension => Encoder.Config.HiddenSize;

    /// <summary>Names everything the vectors depend on: equal digests give equal vectors.</summary>
    public string Digest { get; }

    /// <exception cref="FileNotFoundException">One of the three files is missing.</exception>
    /// <exception cref="InvalidDataException">The files contradict each other or hold a model of another kind.</exception>
    public static SentenceEncoder Open(string folder)
    {
        string Need(string name) => File.Exists(Path.Combine(folder, name))
            ? Path.Combine(folder, name)
            : throw new FileNotFoundException(
                $"text.weights '{folder}' has no {name}; wanted is a folder with config.json, vocab.txt and model.safetensors",
                name);
        var config = BertConfig.Load(Need("config.json"));
        var vocabulary = WordPieceVocabulary.Load(Need("vocab.txt"));
        if (vocabulary.Count > config.VocabSize)
            throw new InvalidDataException($"{folder}: vocab.txt has {vocabulary.Count} pieces, config.json says vocab_size {config.VocabSize}");
        RequireKnownModules(folder);
        var lowerCase = Optional(folder, "tokenizer_config.json", "do_lower_case")?.GetBoolean() ?? true;
        var pooling = Optional(folder, "1_Pooling/config.json", "pooling_mode_cls_token")?.GetBoolean() == true ? Pooling.FirstToken : Pooling.Mean;
        var maxTokens = Math.Min(config.MaxPositions, Optional(folder, "sentence_bert_config.json", "max_seq_length")?.GetInt32() ?? 256);
        var weights = Need("model.safetensors");
        using var file = SafeTensors.Open(weights);
        var encoder = new BertEncoder(config);
        encoder.Load(file);
        var centre = file.Tensors.ContainsKey(CentreName) ? file.ReadFloat32(CentreName) : null;
        return new SentenceEncoder(
            new WordPieceTokenizer(vocabulary, lowerCase), encoder, pooling, maxTokens, centre,
            DigestOf(weights, vocabulary, $"{lowerCase} {pooling} {maxTokens}"));
    }

    /// <summary>
    /// One unit vector per text, on as many threads as libtorch may use. Nothing is spent on padding. Reference: about 20 µs a token and core for
    /// hidden size 64, 2 layers, and 250 µs for MiniLM's 384 and 6. Thread-safe.
    /// </summary>
    /// <param name="texts">Any; a blank one gets the vector of nothing but [CLS] [SEP].</param>
    /// <param name="done">Texts finished so far, from any thread, one at a time.</param>
    /// <param name="ct">Checked between shares.</param>
    public float[][] Encode(IReadOnlyList<string> texts, IProgress<int>? done = null, CancellationToken ct = default)
    {
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = ct };
        var ids = new int[texts.Count][];
        Parallel.For(0, ids.Length, parallel, i => ids[i] = Tokenizer.Encode(texts[i], MaxTokens));
        return Encode(ids, parallel, done);
    }

    internal float[][] Encode(int[][] ids, ParallelOptions parallel, IProgress<int>? done)
    {
        // Longest first: no thread starts on a long text when the others have finished.
        var order = Enumerable.Range(0, ids.Length).OrderByDescending(i => ids[i].Length).ThenBy(i => i).ToArray();
        var shares = Shares(ids, order);
        var vectors = new float[ids.Length][];
        var longest = ids.Length == 0 ? 0 : ids[order[0]].Length;
        var (finished, reporting) = (0, new Lock());
        Parallel.For(0, shares.Count, parallel, () => _inference.Value.Workspace(Math.Max(ShareTokens, longest), longest), (s, _, workspace) =>
        {
            var share = order.AsSpan(shares[s].From, shares[s].Count);
            var pooled = new float[share.Length * Dimension];
            var own = new int[share.Length][];
            for (var i = 0; i < own.Length; i++)
                own[i] = ids[share[i]];
            _inference.Value.Encode(own, Pooling, workspace, pooled);
            for (var i = 0; i < own.Length; i++)
                vectors[share[i]] = Finish(pooled.AsSpan(i * Dimension, Dimension));
            if (done is not null)
            {
                lock (reporting)
                    done.Report(finished += own.Length);
            }

            return workspace;
        }, _ => { });
        return vectors;
    }

    /// <summary>Runs of the order that are encoded together.</summary>
    private static List<(int From, int Count)> Shares(int[][] ids, int[] order)
    {
        var shares = new List<(int, int)>();
        for (var from = 0; from < order.Length;)
        {
            var (to, tokens) = (from + 1, ids[order[from]].Length);
            while (to < order.Length && tokens + ids[order[to]].Length <= ShareTokens)
                tokens += ids[order[to++]].Length;
            shares.Add((from, to - from));
            from = to;
        }

        return shares;
    }

    private float[] Finish(ReadOnlySpan<float> pooled)
    {
        var vector = pooled.ToArray();
        if (_centre is not null)
            TensorPrimitives.Subtract(vector, _centre, vector);
        TensorPrimitives.Divide(vector, Math.Max(TensorPrimitives.Norm<float>(vector), 1e-12f), vector);
        return vector;
    }

    /// <summary>ids [B, L] and mask [B, L], padded on the right with [PAD] to the longest.</summary>
    internal static (Tensor Ids, Tensor Mask) Pad(int[][] rows, int pad)
    {
        var length = rows.Max(r => r.Length);
        var (ids, mask) = (new long[rows.Length * length], new long[rows.Length * length]);
        for (var row = 0; row < rows.Length; row++)
        {
            for (var at = 0; at < length; at++)
            {
                var real = at < rows[row].Length;
                ids[(row * length) + at] = real ? rows[row][at] : pad;
                mask[(row * length) + at] = real ? 1 : 0;
            }
        }

        long[] shape = [rows.Length, length];
        return (tensor(ids, shape), tensor(mask, shape));
    }

    public void Dispose() => Encoder.Dispose();

    internal static string DigestOf(string weights, WordPieceVocabulary vocabulary, string settings)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using (var file = File.OpenRead(weights))
            hash.AppendData(SHA256.HashData(file));
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{vocabulary.Digest()} {settings}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>modules.json lists what sentence-transformers computes after another; a dense layer, say, would be left out unnoticed here.</summary>
    private static void RequireKnownModules(string folder)
    {
        var path = Path.Combine(folder, "modules.json");
        if (!File.Exists(path))
            return;
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        foreach (var module in json.RootElement.EnumerateArray())
        {
            var type = module.GetProperty("type").GetString() ?? "";
            if (type.Split('.')[^1] is not ("Transformer" or "Pooling" or "Normalize"))
                throw new InvalidDataException($"{path}: the model has a module '{type}'; this encoder computes Transformer, Pooling and Normalize only");
        }
    }

    private static JsonElement? Optional(string folder, string name, string field)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path))
            return null;
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        return json.RootElement.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? value.Clone() : null;
    }
}
