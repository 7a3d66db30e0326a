using System.Security.Cryptography;
using System.Text.Json;
using StreamRec.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Text;

/// <summary>
/// Texts to L2-normalised sentence vectors: tokenizer, <see cref="BertEncoder"/>, pooling. Opens a folder in Hugging Face's layout (config.json, vocab.txt,
/// model.safetensors, and where present tokenizer_config.json, sentence_bert_config.json, 1_Pooling/config.json). Not thread-safe.
/// </summary>
public sealed class SentenceEncoder : IDisposable
{
    /// <summary>Tokens of one batch, padding included: bounds the memory of a forward pass at about 60 MB for hidden size 384.</summary>
    private const int BatchTokens = 4096;

    /// <summary>Tensor in model.safetensors that is subtracted from each pooled vector, see <see cref="TextPretrainer"/>.</summary>
    internal const string CentreName = "pooling.centre";
    private readonly float[]? _centre;

    internal SentenceEncoder(WordPieceTokenizer tokenizer, BertEncoder encoder, Pooling pooling, int maxTokens, float[]? centre, string digest)
    {
        (Tokenizer, Encoder, Pooling, MaxTokens, _centre, Digest) = (tokenizer, encoder, pooling, maxTokens, centre, digest);
        encoder.eval();
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
            : throw new FileNotFoundException($"text.weights '{folder}' has no {name}; wanted is a folder with config.json, vocab.txt and model.safetensors", name);
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
        return new SentenceEncoder(new WordPieceTokenizer(vocabulary, lowerCase), encoder, pooling, maxTokens, centre, DigestOf(weights, vocabulary, $"{lowerCase} {pooling} {maxTokens}"));
    }

    /// <summary>
    /// One unit vector per text. Texts are batched by length, so little is spent on padding. About 50,000 tokens/s per core for hidden size 64,
    /// 2 layers, and 1,000 for MiniLM's 384 and 6.
    /// </summary>
    public float[][] Encode(IReadOnlyList<string> texts, IProgress<int>? done = null, CancellationToken ct = default)
    {
        var ids = new int[texts.Count][];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = Tokenizer.Encode(texts[i], MaxTokens);
        var order = Enumerable.Range(0, ids.Length).OrderBy(i => ids[i].Length).ThenBy(i => i).ToArray();
        var vectors = new float[texts.Count][];
        using var grad = no_grad();
        for (var from = 0; from < order.Length;)
        {
            ct.ThrowIfCancellationRequested();
            // Ascending lengths: the last text of a batch is its longest.
            var to = from + 1;
            while (to < order.Length && (to + 1 - from) * ids[order[to]].Length <= BatchTokens)
                to++;
            var batch = order.AsSpan(from, to - from).ToArray();
            var rows = Forward(Array.ConvertAll(batch, i => ids[i]));
            for (var row = 0; row < batch.Length; row++)
                vectors[batch[row]] = rows[row];
            from = to;
            done?.Report(to);
        }

        return vectors;
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

    private float[][] Forward(int[][] rows)
    {
        using var scope = NewDisposeScope();
        var (ids, mask) = Pad(rows, Tokenizer.Vocabulary.Pad);
        var pooled = BertEncoder.Pool(Encoder.forward(ids, mask), mask, Pooling);
        if (_centre is not null)
            pooled = pooled.sub(tensor(_centre, new long[] { 1, Dimension }));
        var flat = BertEncoder.Normalize(pooled).contiguous().data<float>().ToArray();
        return [.. flat.Chunk(Dimension)];
    }

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
