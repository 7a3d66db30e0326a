using static TorchSharp.torch;

namespace StreamRec.Trainer.Layers;

/// <summary>Checks and small steps common to the graph layers.</summary>
internal static class Edges
{
    /// <exception cref="ArgumentException">The edge features do not have the layer's shape.</exception>
    public static void Check(string layer, EdgeList edges, Tensor? edgeAttributes, long edgeDim)
    {
        if (edgeDim > 0 != edgeAttributes is not null)
        {
            throw new ArgumentException(
                $"{layer}: built for edge features of width {edgeDim}, called {(edgeAttributes is null ? "without" : "with")} them",
                nameof(edgeAttributes));
        }
        if (edgeAttributes is not null && (edgeAttributes.shape[0] != edges.Source.shape[0] || edgeAttributes.shape[^1] != edgeDim))
        {
            throw new ArgumentException(
                $"{layer}: edge features must be [{edges.Source.shape[0]}, {edgeDim}], they are [{string.Join(", ", edgeAttributes.shape)}]",
                nameof(edgeAttributes));
        }
    }

    /// <summary>[N, H, C] → [N, H·C] side by side, or [N, C] averaged over the heads.</summary>
    public static Tensor Combine(Tensor heads, bool concat) =>
        concat ? heads.reshape(heads.shape[0], -1) : heads.mean(new long[] { 1 });

    /// <summary>Rows divided by max(‖row‖₂, 1e-12); a zero row stays 0 and has gradient 0.</summary>
    public static Tensor Normalize(Tensor x) => x / x.norm((int)x.ndim - 1, true, 2f).clamp(min: 1e-12);
}
