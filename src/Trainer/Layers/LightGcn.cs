using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// LightGCN's propagation (He et al., SIGIR 2020), which has no weights of its own:
/// <code>
/// x_i^(k+1) = Σ_{j → i} w_ji x_j^(k) / √(deg_i deg_j)       deg = (weighted) in-degree; a factor with deg 0 is 0; no self loops
/// y         = Σ_k α_k x^(k), k = 0..K                        α default 1/(K+1)
/// </code>
/// </summary>
public static class LightGcn
{
    /// <param name="x">[N, d] the nodes' own embeddings (users and items as one list of nodes).</param>
    /// <param name="edgeIndex">[2, E] Int64; both directions of an undirected edge are given.</param>
    /// <param name="edgeWeight">[E], or null for 1.</param>
    /// <param name="layers">K ≥ 1.</param>
    /// <param name="alpha">K + 1 layer weights, or null.</param>
    /// <returns>y [N, d] and the K layer outputs.</returns>
    public static (Tensor Y, Tensor[] Layers) Propagate(Tensor x, Tensor edgeIndex, Tensor? edgeWeight, int layers, double[]? alpha = null)
    {
        var edges = EdgeList.Of(edgeIndex, nameof(LightGcn));
        var norm = Normalization(x, edgeIndex, edgeWeight).unsqueeze(1);
        var outputs = new Tensor[layers];
        var share = 1.0 / (layers + 1);
        var y = x * (alpha?[0] ?? share);
        var h = x;
        for (var k = 0; k < layers; k++)
        {
            h = outputs[k] = edges.Sum(edges.FromSources(h) * norm, x.shape[0]);
            y = y + (h * (alpha?[k + 1] ?? share));
        }

        return (y, outputs);
    }

    /// <summary>w_ji / √(deg_i deg_j) per edge: [E].</summary>
    private static Tensor Normalization(Tensor x, Tensor edgeIndex, Tensor? edgeWeight)
    {
        var weight = edgeWeight ?? torch.ones(new[] { edgeIndex.shape[1] }, dtype: x.dtype, device: x.device);
        var degree = Segments.Sum(weight, edgeIndex[1], x.shape[0]);
        var connected = degree.gt(0);
        var safe = torch.where(connected, degree, torch.ones_like(degree));
        var inverse = torch.where(connected, safe.rsqrt(), torch.zeros_like(degree));
        return weight * inverse.index_select(0, edgeIndex[0]) * inverse.index_select(0, edgeIndex[1]);
    }
}
