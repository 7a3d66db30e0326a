using System.Numerics.Tensors;
using StreamRec.Model;

namespace StreamRec.Trainer.Text;

/// <summary>
/// The forward pass of <see cref="BertEncoder"/> for texts that are only to be encoded, in managed code on the CPU: weights packed once, query, key and value
/// as one product, no padding at all (each text has its own length), bias, residual and normalisation where the rows are in cache anyway, and one text's way
/// through all layers on one thread, so that threads never wait for each other. Same numbers as the TorchSharp model to about 1e-6. Thread-safe.
/// </summary>
internal sealed class BertInference
{
    private readonly BertConfig _config;
    private readonly float[] _words;
    private readonly float[] _positions;
    private readonly float[] _normWeight;
    private readonly float[] _normBias;
    private readonly InferenceLayer[] _layers;

    /// <param name="config">Shape.</param>
    /// <param name="weights">Of <see cref="BertEncoder.Export()"/>.</param>
    public BertInference(BertConfig config, IReadOnlyDictionary<string, (long[] Shape, float[] Data)> weights)
    {
        _config = config;
        _words = weights["embeddings.word_embeddings.weight"].Data;
        _positions = (float[])weights["embeddings.position_embeddings.weight"].Data.Clone();
        // Texts are single: every token is of type 0, so its vector can be added to every position's.
        var type = weights["embeddings.token_type_embeddings.weight"].Data.AsSpan(0, config.HiddenSize);
        for (var p = 0; p < config.MaxPositions; p++)
        {
            var row = _positions.AsSpan(p * config.HiddenSize, config.HiddenSize);
            TensorPrimitives.Add(row, type, row);
        }

        (_normWeight, _normBias) = (weights["embeddings.LayerNorm.weight"].Data, weights["embeddings.LayerNorm.bias"].Data);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(i => new InferenceLayer(config, $"encoder.layer.{i}.", weights))];
    }

    /// <summary>Scratch for texts of together so many tokens. One thread at a time.</summary>
    public InferenceWorkspace Workspace(int rows, int longest) => new(_config, rows, longest);

    /// <summary>
    /// Pooled states of some texts, one after another in the workspace's rows: pooled [texts, H] row by row into <paramref name="pooled"/>.
    /// Cost: about 2 × weights floating point operations per token.
    /// </summary>
    /// <param name="texts">Token ids of each text, together at most the workspace's rows.</param>
    /// <param name="pooling">Mean of the states or the first one.</param>
    /// <param name="workspace">Not shared between threads at one time.</param>
    /// <param name="pooled">At least texts × H.</param>
    public void Encode(ReadOnlySpan<int[]> texts, Pooling pooling, InferenceWorkspace workspace, Span<float> pooled)
    {
        var hidden = _config.HiddenSize;
        var rows = 0;
        foreach (var ids in texts)
        {
            for (var t = 0; t < ids.Length; t++, rows++)
            {
                var x = workspace.X.AsSpan(rows * hidden, hidden);
                TensorPrimitives.Add(_words.AsSpan(ids[t] * hidden, hidden), _positions.AsSpan(t * hidden, hidden), x);
                Normalise(x, _normWeight, _normBias, _config.LayerNormEps);
            }
        }

        foreach (var layer in _layers)
            layer.Forward(texts, rows, workspace);
        var at = 0;
        for (var i = 0; i < texts.Length; i++)
        {
            var target = pooled.Slice(i * hidden, hidden);
            workspace.X.AsSpan(at * hidden, hidden).CopyTo(target);
            if (pooling == Pooling.Mean)
            {
                for (var t = 1; t < texts[i].Length; t++)
                    TensorPrimitives.Add(target, workspace.X.AsSpan((at + t) * hidden, hidden), target);
                TensorPrimitives.Divide(target, texts[i].Length, target);
            }

            at += texts[i].Length;
        }
    }

    /// <summary>(x − mean) / √(var + ε) · weight + bias in place; biased variance.</summary>
    internal static void Normalise(Span<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, double epsilon)
    {
        TensorPrimitives.Subtract(x, TensorPrimitives.Sum<float>(x) / x.Length, x);
        var scale = (float)(1 / Math.Sqrt((TensorPrimitives.SumOfSquares<float>(x) / (double)x.Length) + epsilon));
        TensorPrimitives.Multiply(x, scale, x);
        TensorPrimitives.MultiplyAdd(x, weight, bias, x);
    }
}

/// <summary>Buffers of one thread, as large as its largest share of a batch.</summary>
internal sealed class InferenceWorkspace
{
    public InferenceWorkspace(BertConfig config, int rows, int longest)
    {
        var padded = PackedMatrix.PaddedRows(rows) + PackedMatrix.RowBlock; // a text's last rows may be computed a block too far
        var size = config.HiddenSize / config.Heads;
        X = new float[padded * config.HiddenSize];
        Mixed = new float[padded * config.HiddenSize];
        Projected = new float[padded * 3 * config.HiddenSize];
        Inner = new float[padded * config.IntermediateSize];
        Scores = new float[PackedMatrix.PaddedRows(longest) * longest];
        (Keys, Values) = (new PackedMatrix(size, longest), new PackedMatrix(longest, size));
    }

    public float[] X { get; }
    public float[] Mixed { get; }
    public float[] Projected { get; }
    public float[] Inner { get; }
    public float[] Scores { get; }
    public PackedMatrix Keys { get; }
    public PackedMatrix Values { get; }
}
