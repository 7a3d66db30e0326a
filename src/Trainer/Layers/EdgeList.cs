using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// The edges source → target of a graph layer. Any order, or, with <paramref name="Width"/> &gt; 0, exactly that many per target in target order, missing
/// ones padded: sums over a target's edges are then plain row sums, several times faster on CPU than scattered additions.
/// </summary>
/// <param name="Source">[E] Int64; any valid row where the edge is padding.</param>
/// <param name="Target">[E] Int64.</param>
/// <param name="Width">Edges per target, 0 = any.</param>
/// <param name="Keep">[E, 1] float, 1 for an edge and 0 for padding; null without padding.</param>
public sealed record EdgeList(Tensor Source, Tensor Target, long Width = 0, Tensor? Keep = null)
{
    private const double Hidden = -1e9;

    /// <summary>From edge_index [2, E]: row 0 = source, row 1 = target.</summary>
    /// <exception cref="ArgumentException">Another shape.</exception>
    public static EdgeList Of(Tensor edgeIndex, string layer)
    {
        if (edgeIndex.ndim != 2 || edgeIndex.shape[0] != 2)
            throw new ArgumentException($"{layer}: edge_index must be [2, E], it is [{string.Join(", ", edgeIndex.shape)}]", nameof(edgeIndex));
        return new EdgeList(edgeIndex[0], edgeIndex[1]);
    }

    /// <summary>Rows of the sources: [Ns, …] → [E, …].</summary>
    // Not indexing, though its backward pass takes half the time on CPU: on several threads it adds in any order, and a run could not be repeated.
    public Tensor FromSources(Tensor x) => x.index_select(0, Source);

    /// <summary>Rows of the targets: [Nd, …] → [E, …].</summary>
    public Tensor FromTargets(Tensor x)
    {
        if (Width == 0)
            return x.index_select(0, Target);
        long[] wide = [x.shape[0], Width, .. x.shape[1..]];
        return x.unsqueeze(1).expand(wide).reshape([x.shape[0] * Width, .. x.shape[1..]]);
    }

    /// <summary>Sum over each target's edges: [E, …] → [targets, …]. Padded rows must be 0.</summary>
    public Tensor Sum(Tensor x, long targets) =>
        Width == 0 ? Segments.Sum(x, Target, targets) : x.view([targets, Width, .. x.shape[1..]]).sum(1);

    /// <summary>Softmax over each target's edges; padded rows are 0.</summary>
    public Tensor Softmax(Tensor x, long targets)
    {
        if (Width == 0)
            return Segments.Softmax(x, Target, targets);
        var shown = Keep is null ? x : x + ((1 - Keep) * Hidden);
        var weights = shown.view([targets, Width, .. x.shape[1..]]).softmax(1).view(x.shape);
        return Keep is null ? weights : weights * Keep;
    }
}
