using StreamRec.Contracts;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Text;

/// <summary>Where item text vectors come from.</summary>
public sealed record TextOptions
{
    /// <summary>
    /// Setting <c>text.weights</c>: folder of a BERT sentence encoder in Hugging Face's layout (MiniLM, bge …). Null, the default: a small BERT is
    /// pre-trained on the catalogue's own text, about 10 s, and kept in <see cref="Folder"/>.
    /// </summary>
    public string? Weights { get; init; }

    /// <summary>Setting <c>text.folder</c>: vector cache and pre-trained encoder, default .streamrec/text.</summary>
    public string Folder { get; init; } = Path.Combine(".streamrec", "text");

    public PretrainOptions Pretrain { get; init; } = new();
}

/// <summary>Text vectors of items, one row each, in the order asked for.</summary>
/// <param name="Rows">Items.</param>
/// <param name="Dimension">d of the encoder.</param>
/// <param name="Values">[rows × d] row by row; each row has length 1, or is all zero for an item without text.</param>
/// <param name="EncoderDigest">What made them: vectors of different digests must not be compared or mixed in one model.</param>
public sealed record TextMatrix(int Rows, int Dimension, float[] Values, string EncoderDigest)
{
    public ReadOnlySpan<float> Row(int row) => Values.AsSpan(row * Dimension, Dimension);
}

/// <summary>
/// Text vectors of items and of any text, cached by content. The encoder is opened (or pre-trained) on first use and stays in memory. Not thread-safe.
/// </summary>
public sealed class TextEncoder(TextOptions options) : IDisposable
{
    /// <summary>A pre-trained encoder is trained anew once the catalogue has grown by this factor: its pieces no longer fit.</summary>
    private const double RetrainGrowth = 2;

    private SentenceEncoder? _encoder;

    /// <summary>What the encoder reads of an item: title, categories and text as sentences; empty when it has none.</summary>
    public static string TextOf(ItemRecord item)
    {
        string?[] parts = [item.Title, string.Join(", ", item.Categories), item.Text];
        return string.Join(". ", parts.Where(p => !string.IsNullOrWhiteSpace(p)).Select(p => p!.Trim()));
    }

    /// <summary>
    /// Vectors of items in their order. The first call without weights pre-trains on these items. Known texts cost a read; new ones about
    /// 0.1 ms each on a core (MiniLM: 10 ms).
    /// </summary>
    /// <exception cref="FileNotFoundException">text.weights names a folder without the files of an encoder.</exception>
    public TextMatrix EncodeItems(IReadOnlyList<ItemRecord> items, IProgress<TextProgress>? progress = null, CancellationToken ct = default)
    {
        var texts = items.Select(TextOf).ToArray();
        var present = Enumerable.Range(0, texts.Length).Where(i => texts[i].Length > 0).ToArray();
        if (_encoder is null && options.Weights is null && present.Length == 0)
            return new TextMatrix(items.Count, options.Pretrain.HiddenSize, new float[items.Count * options.Pretrain.HiddenSize], "none");
        var encoder = _encoder ??= Open(Array.ConvertAll(present, i => texts[i]), progress, ct);
        var vectors = Encode(encoder, Array.ConvertAll(present, i => texts[i]), progress, ct);
        var values = new float[(long)items.Count * encoder.Dimension];
        for (var i = 0; i < present.Length; i++)
            vectors[i].CopyTo(values, (long)present[i] * encoder.Dimension);
        return new TextMatrix(items.Count, encoder.Dimension, values, encoder.Digest);
    }

    /// <summary>The same as a training run takes it; null when no item has text.</summary>
    public TextVectors? ForTraining(IReadOnlyList<ItemRecord> items, CancellationToken ct)
    {
        var matrix = EncodeItems(items, progress: null, ct);
        return matrix.EncoderDigest == "none" ? null : new TextVectors(matrix.Values, matrix.Dimension);
    }

    /// <summary>Unit vectors of texts, cached likewise.</summary>
    /// <exception cref="InvalidOperationException">No weights are given and nothing was pre-trained yet: call <see cref="EncodeItems"/> first.</exception>
    public float[][] Encode(IReadOnlyList<string> texts, CancellationToken ct = default)
    {
        _encoder ??= options.Weights is not null || Directory.Exists(PretrainedFolder)
            ? SentenceEncoder.Open(options.Weights ?? PretrainedFolder)
            : throw new InvalidOperationException($"text.weights is not set and '{PretrainedFolder}' holds no pre-trained encoder yet");
        return Encode(_encoder, texts, null, ct);
    }

    public void Dispose() => _encoder?.Dispose();

    private string PretrainedFolder => Path.Combine(options.Folder, "pretrained");

    private float[][] Encode(SentenceEncoder encoder, IReadOnlyList<string> texts, IProgress<TextProgress>? progress, CancellationToken ct)
        => new TextVectorCache(options.Folder, encoder.Digest, encoder.Dimension).GetOrAdd(texts, missing =>
        {
            var done = progress is null ? null : new Relay(progress, missing.Count);
            return encoder.Encode(missing, done, ct);
        });

    private SentenceEncoder Open(string[] texts, IProgress<TextProgress>? progress, CancellationToken ct)
    {
        if (options.Weights is not null)
            return SentenceEncoder.Open(options.Weights);
        var countFile = Path.Combine(PretrainedFolder, "texts.txt"); // last file written: there means complete
        var trainedOn = File.Exists(countFile) ? int.Parse(File.ReadAllText(countFile), System.Globalization.CultureInfo.InvariantCulture) : 0;
        if (trainedOn == 0 || texts.Length >= RetrainGrowth * trainedOn)
        {
            Directory.CreateDirectory(options.Folder);
            TextPretrainer.Run(texts, options.Pretrain, PretrainedFolder, progress, ct);
            File.WriteAllText(countFile, texts.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return SentenceEncoder.Open(PretrainedFolder);
    }

    /// <summary>Passes counts on at once, on the caller's thread.</summary>
    private sealed class Relay(IProgress<TextProgress> to, int total) : IProgress<int>
    {
        public void Report(int value) => to.Report(new TextProgress("encode", value, total, double.NaN));
    }
}
