using StreamRec.Model;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Text;

/// <summary>How given weights are adapted to a catalogue.</summary>
public sealed record TuneOptions
{
    /// <summary>Adapters to train in place of the weights; null trains the weights themselves.</summary>
    public LoraOptions? Lora { get; init; } = new();

    /// <summary>Layers from below that stay as they are; with any, the embeddings stay too. Default 0.</summary>
    public int FrozenLayers { get; init; }

    /// <summary>Default 150.</summary>
    public int Steps { get; init; } = 150;

    /// <summary>Texts of a step, each the others' contrast. Default 32.</summary>
    public int BatchTexts { get; init; } = 32;

    /// <summary>Longer texts are cut, default 64 tokens.</summary>
    public int MaxTokens { get; init; } = 64;

    /// <summary>Peak of the learning rate: default 0.0005, right for adapters; a twentieth of it suits whole weights.</summary>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>τ of the contrast. Default 0.05.</summary>
    public double Temperature { get; init; } = 0.05;

    public int Seed { get; init; } = 1;
}

/// <summary>
/// Adapts an encoder to a catalogue's language: each text, some of its words hidden, must be told from the batch's others by what is left (SimCSE, Gao et al.
/// 2021, with hidden words), learned by adapters on query and value (<see cref="LoraAdapter"/>) or by all unfrozen weights. Writes a folder like the one it
/// started from, adapters merged in, and the adapters alone as <c>lora_adapter.safetensors</c>.
/// </summary>
public static class TextTuner
{
    private static readonly string[] Settings =
        ["config.json", "vocab.txt", "tokenizer_config.json", "sentence_bert_config.json", "modules.json", "1_Pooling/config.json"];

    /// <param name="texts">The catalogue's texts; blank ones are passed over.</param>
    /// <param name="from">Folder of the encoder to start from.</param>
    /// <param name="options">What is trained and how long.</param>
    /// <param name="folder">Replaced as a whole once training is over.</param>
    /// <param name="progress">Called after each step.</param>
    /// <param name="ct">Checked between steps.</param>
    /// <exception cref="ArgumentException">Fewer than two texts hold a word, or the vocabulary has no [MASK].</exception>
    public static void Run(
        IReadOnlyList<string> texts, string from, TuneOptions options, string folder,
        IProgress<TextProgress>? progress = null, CancellationToken ct = default)
    {
        float[]? centre;
        BertEncoder encoder;
        WordPieceTokenizer tokenizer;
        Pooling pooling;
        manual_seed(options.Seed);
        using (var start = SentenceEncoder.Open(from)) // checks the folder's files against each other
        {
            (tokenizer, pooling) = (start.Tokenizer, start.Pooling);
            encoder = new BertEncoder(start.Encoder.Config, options.Lora);
        }

        using var owned = encoder;
        using (var file = SafeTensors.Open(Path.Combine(from, "model.safetensors")))
        {
            encoder.Load(file);
            centre = file.Tensors.ContainsKey(SentenceEncoder.CentreName) ? file.ReadFloat32(SentenceEncoder.CentreName) : null;
        }

        var rows = texts.Select(t => tokenizer.Encode(t, Math.Min(options.MaxTokens, encoder.Config.MaxPositions))).Where(r => r.Length > 2).ToArray();
        if (rows.Length < 2 || tokenizer.Vocabulary.Mask < 0)
        {
            throw new ArgumentException(
                $"{rows.Length} of {texts.Count} texts hold a word, and the vocabulary of {from} "
                + $"has {(tokenizer.Vocabulary.Mask < 0 ? "no" : "a")} {WordPieceVocabulary.MaskToken}; "
                + "a contrast needs two texts and something to hide words behind",
                nameof(texts));
        }
        Train(encoder, tokenizer.Vocabulary, pooling, rows, options, progress, ct);
        Write(encoder, centre, from, folder);
    }

    private static void Train(
        BertEncoder encoder, WordPieceVocabulary vocabulary, Pooling pooling, int[][] rows, TuneOptions options,
        IProgress<TextProgress>? progress, CancellationToken ct)
    {
        var parameters = encoder.Freeze(options.FrozenLayers);
        encoder.train();
        using var optimizer = new TextOptimizer(parameters, options.LearningRate, options.Steps);
        var random = new Random(options.Seed);
        var order = Array.Empty<int[]>();
        var next = 0;
        for (var step = 0; step < options.Steps; step++)
        {
            ct.ThrowIfCancellationRequested();
            var size = Math.Min(options.BatchTexts, rows.Length);
            if (next + size > order.Length)
            {
                (order, next) = ([.. rows], 0);
                random.Shuffle(order);
            }

            var batch = order[next..(next += size)];
            encoder.Dropout.Seed(((ulong)options.Seed << 32) + (ulong)step);
            using var scope = NewDisposeScope();
            var (whole, hidden) = (
                Vectors(encoder, batch, vocabulary.Pad, pooling),
                Vectors(encoder, MaskedRows.Of(batch, vocabulary, random).Rows, vocabulary.Pad, pooling));
            var loss = functional.cross_entropy(hidden.mm(whole.t()).div(options.Temperature), arange(size, dtype: ScalarType.Int64));
            optimizer.Step(loss, step);
            progress?.Report(new TextProgress("pretrain", step + 1, options.Steps, loss.item<float>()));
        }
    }

    private static Tensor Vectors(BertEncoder encoder, int[][] rows, int pad, Pooling pooling)
    {
        var (ids, mask) = SentenceEncoder.Pad(rows, pad);
        return BertEncoder.Normalize(BertEncoder.Pool(encoder.forward(ids, mask), mask, pooling));
    }

    private static void Write(BertEncoder encoder, float[]? centre, string from, string folder) => WholeFolder.Replace(folder, written =>
    {
        Directory.CreateDirectory(Path.Combine(written, "1_Pooling"));
        foreach (var file in Settings.Where(f => File.Exists(Path.Combine(from, f))))
            File.Copy(Path.Combine(from, file), Path.Combine(written, file));
        var tensors = encoder.Export();
        if (centre is not null)
            tensors[SentenceEncoder.CentreName] = ([centre.Length], centre);
        SafeTensors.Write(Path.Combine(written, "model.safetensors"), tensors);
        if (encoder.NamedAdapters().Any())
            SafeTensors.Write(Path.Combine(written, "lora_adapter.safetensors"), encoder.ExportAdapters());
    });
}
