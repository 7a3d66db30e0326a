using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Layers;

/// <summary>Gives each node exactly one edge to itself.</summary>
internal static class SelfLoops
{
    /// <summary>
    /// Drops the self loops present and appends one per node, in node order. A new loop's attribute is the mean over the
    /// node's incoming edges, 0 where it has none. <paramref name="edgeIndex"/> is [2, E] (source, target).
    /// </summary>
    public static (Tensor EdgeIndex, Tensor? EdgeAttributes) Replace(Tensor edgeIndex, Tensor? edgeAttributes, long nodes)
    {
        var keep = edgeIndex[0].ne(edgeIndex[1]).nonzero().reshape(-1);
        var kept = edgeIndex.index_select(1, keep);
        var loop = torch.arange(nodes, dtype: ScalarType.Int64, device: edgeIndex.device).unsqueeze(0).expand(2, nodes);
        var index = torch.cat([kept, loop], 1);
        if (edgeAttributes is null)
            return (index, null);
        var attributes = edgeAttributes.index_select(0, keep);
        return (index, torch.cat([attributes, Segments.Mean(attributes, kept[1], nodes)], 0));
    }
}
