using System.Numerics.Tensors;
using StreamRec.Model;

namespace StreamRec.Trainer.Text;

/// <summary>One block of <see cref="BertInference"/>: what <see cref="BertLayer"/> computes, over the rows of several texts.</summary>
internal sealed class InferenceLayer
{
    private readonly BertConfig _config;
    private readonly PackedMatrix _queryKeyValue, _attended, _up, _down;
    private readonly float[] _attendedNormWeight, _attendedNormBias, _normWeight, _normBias;

    public InferenceLayer(BertConfig config, string prefix, IReadOnlyDictionary<string, (long[] Shape, float[] Data)> weights)
    {
        _config = config;
        var (hidden, wide) = (config.HiddenSize, config.IntermediateSize);
        float[] Data(string name) => weights[prefix + name].Data;
        PackedMatrix Packed(string name, int inputs, int outputs) => PackedMatrix.OfWeights(Data(name + ".weight"), Data(name + ".bias"), inputs, outputs);
        // The scale of the scores goes into the queries.
        var scale = (float)(1 / Math.Sqrt(hidden / config.Heads));
        float[] Scaled(string name) => Array.ConvertAll(Data(name), x => x * scale);
        const string Attention = "attention.self.";
        _queryKeyValue = PackedMatrix.OfWeights(
            [.. Scaled(Attention + "query.weight"), .. Data(Attention + "key.weight"), .. Data(Attention + "value.weight")],
            [.. Scaled(Attention + "query.bias"), .. Data(Attention + "key.bias"), .. Data(Attention + "value.bias")], hidden, 3 * hidden);
        _attended = Packed("attention.output.dense", hidden, hidden);
        _up = Packed("intermediate.dense", hidden, wide);
        _down = Packed("output.dense", wide, hidden);
        (_attendedNormWeight, _attendedNormBias) = (Data("attention.output.LayerNorm.weight"), Data("attention.output.LayerNorm.bias"));
        (_normWeight, _normBias) = (Data("output.LayerNorm.weight"), Data("output.LayerNorm.bias"));
    }

    /// <summary>In place on the first <paramref name="rows"/> rows of the workspace's X.</summary>
    public void Forward(ReadOnlySpan<int[]> texts, int rows, InferenceWorkspace workspace)
    {
        var (hidden, wide) = (_config.HiddenSize, _config.IntermediateSize);
        var (x, mixed, projected) = (workspace.X, workspace.Mixed, workspace.Projected);
        _queryKeyValue.Multiply(rows, x, hidden, projected, 3 * hidden);
        var from = 0;
        foreach (var ids in texts)
        {
            for (var head = 0; head < _config.Heads; head++)
                Attend(from, ids.Length, head, workspace);
            from += ids.Length;
        }

        _attended.Multiply(rows, mixed, hidden, projected, hidden);
        AddAndNormalise(rows, projected, x, _attendedNormWeight, _attendedNormBias);
        _up.Multiply(rows, x, hidden, workspace.Inner, wide);
        Kernels.Gelu(workspace.Inner.AsSpan(0, rows * wide));
        _down.Multiply(rows, workspace.Inner, wide, projected, hidden);
        AddAndNormalise(rows, projected, x, _normWeight, _normBias);
    }

    /// <summary>mixed = softmax(q kᵀ) v of one head over one text's rows.</summary>
    private void Attend(int from, int length, int head, InferenceWorkspace workspace)
    {
        var (hidden, size) = (_config.HiddenSize, _config.HiddenSize / _config.Heads);
        var stride = 3 * hidden;
        var rows = workspace.Projected.AsSpan((from * stride) + (head * size));
        var scores = workspace.Scores.AsSpan(0, PackedMatrix.PaddedRows(length) * length);
        workspace.Keys.SetTransposed(rows[hidden..], stride, size, length);
        workspace.Keys.Multiply(length, rows, stride, scores, length);
        for (var t = 0; t < length; t++)
        {
            var row = scores.Slice(t * length, length);
            TensorPrimitives.Subtract(row, TensorPrimitives.Max<float>(row), row); // SoftMax itself does not guard against overflow
            TensorPrimitives.SoftMax(row, row);
        }

        workspace.Values.Set(rows[(2 * hidden)..], stride, length, size);
        // Rows beyond the text's last fall on the next text's, which is written after it.
        workspace.Values.Multiply(length, scores, length, workspace.Mixed.AsSpan((from * hidden) + (head * size)), hidden);
    }

    private void AddAndNormalise(int rows, float[] change, float[] x, float[] weight, float[] bias)
    {
        var hidden = _config.HiddenSize;
        for (var t = 0; t < rows; t++)
        {
            var row = x.AsSpan(t * hidden, hidden);
            TensorPrimitives.Add(row, change.AsSpan(t * hidden, hidden), row);
            BertInference.Normalise(row, weight, bias, _config.LayerNormEps);
        }
    }
}
