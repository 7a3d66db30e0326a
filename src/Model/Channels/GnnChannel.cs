using System.Numerics.Tensors;

namespace StreamRec.Model;

/// <summary>Graph vectors of the items times the temporal encoder's user vector: score(i) = user · item.vectors[i] + item.bias[i].</summary>
public sealed class GnnChannel : Channel
{
    private readonly UserEncoder _encoder;
    private readonly float[] _vectors, _bias;
    private readonly int _items, _dim;

    public GnnChannel(ModelArtifact artifact)
    {
        _encoder = new UserEncoder(artifact);
        (_items, _dim) = (artifact.Items.Length, _encoder.Config.Dim);
        _vectors = artifact.Require(TensorNames.ItemVectors, _items, _dim);
        _bias = artifact.Tensors.ContainsKey(TensorNames.ItemBias) ? artifact.Require(TensorNames.ItemBias, _items) : [];
    }

    public override string Name => ChannelNames.Gnn;

    public UserEncoder Encoder => _encoder;

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var user = workspace.UserVector(_dim);
        if (!_encoder.Encode(context.History, context.NowMs, workspace.Encoder, user))
            return false;
        VectorScan.Score(user, _vectors, _bias, scores[.._items]);
        scores[_items..].Fill(Unknown);
        return true;
    }

    /// <summary>History items by (attention of the newest position) × (cosine of their vector with the item's), positive cosines only.</summary>
    public override int Evidence(in RankContext context, RankWorkspace workspace, int item, Span<int> evidence)
    {
        if (item >= _items)
            return 0;
        Span<float> strengths = stackalloc float[evidence.Length];
        var count = 0;
        var target = _vectors.AsSpan(item * _dim, _dim);
        for (var t = 0; t < workspace.Encoder.Count; t++)
        {
            var source = context.History[workspace.Encoder.Source[t]].Item;
            if (evidence[..count].Contains(source))
                continue; // rows are oldest first: a repeated item keeps its first place, close enough for a reason
            var cosine = TensorPrimitives.CosineSimilarity(target, _vectors.AsSpan(source * _dim, _dim));
            count = Keep(workspace.Encoder.Attention[t] * cosine, source, strengths, evidence, count);
        }

        return count;
    }
}
