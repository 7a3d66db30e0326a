using System.Globalization;
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

    /// <summary>Setting <c>text.components</c>: width the vectors are brought to by principal components; 0, the default: as the encoder gives them.</summary>
    public int Components { get; init; }

    /// <summary>Setting <c>text.half</c>: keep vectors as float16 in the cache and in the model artifact. Default false.</summary>
    public bool Half { get; init; }

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

    /// <summary>How many texts a pre-trained encoder has seen; written last, so that it stands for the whole folder.</summary>
    private const string CountFile = "texts.txt";

    private SentenceEncoder? _encoder;
    private PrincipalComponents? _components;

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
        var width = vectors.Length > 0 ? vectors[0].Length : encoder.Dimension;
        var values = new float[(long)items.Count * width];
        for (var i = 0; i < present.Length; i++)
            vectors[i].CopyTo(values, (long)present[i] * width);
        return new TextMatrix(items.Count, width, values, encoder.Digest);
    }

    /// <summary>The same as a training run takes it; null when no item has text.</summary>
    public TextVectors? ForTraining(IReadOnlyList<ItemRecord> items, CancellationToken ct)
    {
        var matrix = EncodeItems(items, progress: null, ct);
        return matrix.EncoderDigest == "none" ? null : new TextVectors(matrix.Values, matrix.Dimension, options.Half);
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

    /// <summary>Pre-trains an encoder on texts; where no folder is named, the one that is used while text.weights is not set.</summary>
    /// <returns>The folder.</returns>
    public static string Pretrain(
        IReadOnlyList<string> texts, TextOptions options, string? folder,
        IProgress<TextProgress>? progress = null, CancellationToken ct = default)
    {
        folder ??= PretrainedIn(options);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(folder))!);
        TextPretrainer.Run(texts, options.Pretrain, folder, progress, ct);
        File.WriteAllText(Path.Combine(folder, CountFile), texts.Count.ToString(CultureInfo.InvariantCulture));
        return folder;
    }

    private string PretrainedFolder => PretrainedIn(options);

    private static string PretrainedIn(TextOptions options) => Path.Combine(options.Folder, "pretrained");

    private float[][] Encode(SentenceEncoder encoder, IReadOnlyList<string> texts, IProgress<TextProgress>? progress, CancellationToken ct)
    {
        var vectors = new TextVectorCache(options.Folder, encoder.Digest, encoder.Dimension, options.Half).GetOrAdd(texts, missing =>
        {
            var done = progress is null ? null : new Relay(progress, missing.Count);
            return encoder.Encode(missing, done, ct);
        });
        if (options.Components == 0 || vectors.Length == 0)
            return vectors;
        var components = _components ??= Components(encoder, vectors);
        return Array.ConvertAll(vectors, v => options.Half ? Array.ConvertAll(components.Project(v), x => (float)(Half)x) : components.Project(v));
    }

    /// <summary>Learned once per encoder and kept beside the cache: a model that is fine-tuned goes on reading the same directions.</summary>
    private PrincipalComponents Components(SentenceEncoder encoder, float[][] vectors)
    {
        if (options.Components > encoder.Dimension || options.Components < 0)
            throw new ArgumentException($"text.components is {options.Components}; the encoder's vectors have {encoder.Dimension}, 0 keeps them as they are");
        var path = Path.Combine(options.Folder, $"components-{encoder.Digest[..16]}-{options.Components}.safetensors");
        if (File.Exists(path))
            return PrincipalComponents.Load(path);
        var learned = PrincipalComponents.Fit(vectors, options.Components);
        learned.Save(path + ".new");
        File.Move(path + ".new", path, overwrite: true);
        return learned;
    }

    private SentenceEncoder Open(string[] texts, IProgress<TextProgress>? progress, CancellationToken ct)
    {
        if (options.Weights is not null)
            return SentenceEncoder.Open(options.Weights);
        var countFile = Path.Combine(PretrainedFolder, CountFile);
        var trainedOn = File.Exists(countFile) ? int.Parse(File.ReadAllText(countFile), CultureInfo.InvariantCulture) : 0;
        if (trainedOn == 0 || texts.Length >= RetrainGrowth * trainedOn)
            Pretrain(texts, options, null, progress, ct);
        return SentenceEncoder.Open(PretrainedFolder);
    }

    /// <summary>Passes counts on at once, on the caller's thread.</summary>
    private sealed class Relay(IProgress<TextProgress> to, int total) : IProgress<int>
    {
        public void Report(int value) => to.Report(new TextProgress("encode", value, total, double.NaN));
    }
}
