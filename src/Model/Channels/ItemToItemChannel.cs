using System.Numerics.Tensors;

namespace StreamRec.Model;

/// <summary>
/// score(j) = Σ over the user's own items i of weight(i) · γ^age(i) · W[i, j], with W sparse or dense. Ages beyond the point where γ^age falls
/// below 1e-5 are skipped. Items without a fit event are unknown. ItemKNN, EASE^R and first-order transitions are this with another W.
/// </summary>
public sealed class ItemToItemChannel : Channel
{
    private const float Negligible = 1e-5f;
    private readonly SparseRows? _sparse;
    private readonly float[] _dense;
    private readonly float[] _count;
    private readonly float _gamma;
    private readonly bool _newestOnly;

    private ItemToItemChannel(string name, SparseRows? sparse, float[] dense, float[] count, float gamma, bool newestOnly = false) =>
        (Name, _sparse, _dense, _count, _gamma, _newestOnly) = (name, sparse, dense, count, gamma, newestOnly);

    public override string Name { get; }

    /// <param name="artifact">Holds the weights.</param>
    /// <param name="count">Events per item in the fit part.</param>
    /// <param name="isLong">Over a long memory of the person.</param>
    public static ItemToItemChannel ItemKnn(ModelArtifact artifact, float[] count, bool isLong = false)
    {
        var gamma = isLong ? LongGamma(artifact) : artifact.Manifest.Config.ItemKnn.Gamma;
        return new(
            isLong ? ChannelNames.ItemKnnLong : ChannelNames.ItemKnn,
            Rows(artifact, TensorNames.KnnCount, TensorNames.KnnIndex, TensorNames.KnnValue),
            [], count, gamma);
    }

    /// <inheritdoc cref="ItemKnn"/>
    public static ItemToItemChannel Ease(ModelArtifact artifact, float[] count, bool isLong = false)
    {
        var (name, gamma) = isLong ? (ChannelNames.EaseLong, LongGamma(artifact)) : (ChannelNames.Ease, artifact.Manifest.Config.Ease.Gamma);
        if (artifact.Tensors.ContainsKey(TensorNames.EaseDense))
            return new(name, null, artifact.Require(TensorNames.EaseDense, count.Length, count.Length), count, gamma);
        return new(name, Rows(artifact, TensorNames.EaseCount, TensorNames.EaseIndex, TensorNames.EaseValue), [], count, gamma);
    }

    public static ItemToItemChannel Nearby(ModelArtifact artifact, float[] count) => new(
        ChannelNames.Nearby, Rows(artifact, TensorNames.NearbyCount, TensorNames.NearbyIndex, TensorNames.NearbyValue), [], count,
        (artifact.Manifest.Config.Nearby ?? new NearbyConfig()).Gamma);

    public static ItemToItemChannel Markov(ModelArtifact artifact, float[] count) =>
        new(ChannelNames.Markov, Rows(artifact, TensorNames.MarkovCount, TensorNames.MarkovIndex, TensorNames.MarkovValue), [], count, 1, newestOnly: true);

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var items = _count.Length;
        scores[..items].Clear();
        var any = false;
        foreach (var own in workspace.Own)
        {
            var weight = WeightOf(own);
            if (weight == 0)
                continue;
            any = true;
            if (_sparse is not null)
                _sparse.AddRow(own.Item, weight, scores);
            else
                TensorPrimitives.FusedMultiplyAdd(_dense.AsSpan(own.Item * items, items), weight, scores[..items], scores[..items]);
        }

        if (!any)
            return false;
        for (var i = 0; i < items; i++)
        {
            if (_count[i] == 0)
                scores[i] = Unknown;
        }

        scores[items..].Fill(Unknown);
        return true;
    }

    /// <summary>The history items with the largest positive terms of the sum.</summary>
    public override int Evidence(in RankContext context, RankWorkspace workspace, int item, Span<int> evidence)
    {
        if (item >= _count.Length)
            return 0;
        Span<float> strengths = stackalloc float[evidence.Length];
        var count = 0;
        foreach (var own in workspace.Own)
        {
            var weight = WeightOf(own);
            if (weight > 0)
                count = Keep(weight * WeightAt(own.Item, item), own.Item, strengths, evidence, count);
        }

        return count;
    }

    /// <summary>W[row, target].</summary>
    public float WeightAt(int row, int target) => _sparse?.At(row, target) ?? _dense[(row * _count.Length) + target];

    /// <summary>0 for items that carry no information here.</summary>
    private float WeightOf(in OwnItem own)
    {
        if (own.Item >= _count.Length || _count[own.Item] == 0 || (_newestOnly && own.Age > 0))
            return 0;
        var decay = MathF.Pow(_gamma, own.Age);
        return decay < Negligible ? 0 : own.Weight * decay;
    }

    private static float LongGamma(ModelArtifact artifact) => artifact.Manifest.Config.LongGamma ?? 0.99f;

    private static SparseRows Rows(ModelArtifact artifact, string count, string index, string value) =>
        SparseRows.Read(artifact, count, index, value)
        ?? throw new InvalidDataException($"model {artifact.Manifest.Name} v{artifact.Manifest.Version} has no tensor '{count}'");
}
