using System.Numerics.Tensors;

namespace StreamRec.Model;

/// <summary>
/// Cosine of each item's text vector to the decayed mean of the user's history, γ^age: scores new items that nobody has touched. The catalogue's
/// mean vector is taken off first (what all texts share says nothing). Items without text are unknown.
/// </summary>
public sealed class TextChannel : Channel
{
    private readonly float[] _vectors;
    private readonly bool[] _known;
    private readonly int _items, _dim;
    private readonly float _gamma;

    public TextChannel(ModelArtifact artifact)
    {
        var raw = artifact.Require(TensorNames.ItemText, artifact.Items.Length, -1);
        _items = artifact.Items.Length;
        _dim = (int)artifact.Tensors[TensorNames.ItemText].Shape[1];
        _gamma = artifact.Manifest.Config.TextGamma;
        _known = new bool[_items];
        _vectors = Centred(raw);
    }

    public override string Name => ChannelNames.Text;

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var mean = workspace.TextVector(_dim);
        mean.Clear();
        var any = false;
        foreach (var own in workspace.Own)
        {
            if (own.Item >= _items || !_known[own.Item])
                continue;
            any = true;
            TensorPrimitives.FusedMultiplyAdd(Row(own.Item), own.Weight * MathF.Pow(_gamma, own.Age), mean, mean);
        }

        var norm = TensorPrimitives.Norm<float>(mean);
        if (!any || norm == 0)
            return false;
        TensorPrimitives.Divide(mean, norm, mean);
        VectorScan.Score(mean, _vectors, [], scores[.._items]);
        for (var i = 0; i < _items; i++)
        {
            if (!_known[i])
                scores[i] = Unknown;
        }

        scores[_items..].Fill(Unknown);
        return true;
    }

    public override int Evidence(in RankContext context, RankWorkspace workspace, int item, Span<int> evidence)
    {
        if (item >= _items || !_known[item])
            return 0;
        Span<float> strengths = stackalloc float[evidence.Length];
        var count = 0;
        foreach (var own in workspace.Own)
        {
            if (own.Item < _items && _known[own.Item])
                count = Keep(own.Weight * MathF.Pow(_gamma, own.Age) * TensorPrimitives.Dot(Row(own.Item), Row(item)), own.Item, strengths, evidence, count);
        }

        return count;
    }

    private ReadOnlySpan<float> Row(int item) => _vectors.AsSpan(item * _dim, _dim);

    private float[] Centred(float[] raw)
    {
        var result = new float[raw.Length];
        var mean = new float[_dim];
        var known = 0;
        for (var i = 0; i < _items; i++)
        {
            var row = raw.AsSpan(i * _dim, _dim);
            _known[i] = row.ContainsAnyExcept(0f);
            if (!_known[i])
                continue;
            known++;
            TensorPrimitives.Add(mean, row, mean);
        }

        TensorPrimitives.Divide(mean, Math.Max(1, known), mean);
        for (var i = 0; i < _items; i++)
        {
            if (!_known[i])
                continue;
            var row = result.AsSpan(i * _dim, _dim);
            TensorPrimitives.Subtract(raw.AsSpan(i * _dim, _dim), mean, row);
            var norm = TensorPrimitives.Norm<float>(row);
            _known[i] = norm > 1e-6f; // a catalogue of one text has nothing left
            if (_known[i])
                TensorPrimitives.Divide(row, norm, row);
        }

        return result;
    }
}
