using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// The convolution of PinSAGE (Ying et al.: Graph convolutional neural networks for web-scale recommender systems, KDD 2018,
/// Algorithm 1) with importance pooling over random-walk neighbours:
/// <code>
/// n_u = Σ_v α_uv ReLU(Q z_v + q) / Σ_v α_uv            α: how often the walks from u visited v; 0 without neighbours
/// y_u = ReLU(W [z_u ; n_u] + w),  divided by max(‖·‖₂, 1e-12)
/// </code>
/// Shapes: z [N, in], edge_index [2, E] Int64 (neighbour v, node u), alpha [E] ≥ 0 → y [N, out]. Cost O(N·in·mid + E·mid + N·(in+mid)·out).
/// </summary>
public sealed class PinSageConv : Module<Tensor, Tensor, Tensor, Tensor>
{
    private readonly bool _normalize;
    private readonly Parameter Q;
    private readonly Parameter q;
    private readonly Parameter W;
    private readonly Parameter w;

    /// <param name="inputs">Width of z.</param>
    /// <param name="hidden">Width of a neighbour's message.</param>
    /// <param name="outputs">Width of y.</param>
    /// <param name="normalize">The last step of Algorithm 1; off when a residual and a layer norm follow.</param>
    public PinSageConv(long inputs, long hidden, long outputs, bool normalize = true) : base(nameof(PinSageConv))
    {
        _normalize = normalize;
        Q = new Parameter(init.xavier_uniform_(torch.empty(hidden, inputs)));
        q = new Parameter(torch.zeros(hidden));
        W = new Parameter(init.xavier_uniform_(torch.empty(outputs, inputs + hidden)));
        w = new Parameter(torch.zeros(outputs));
        RegisterComponents();
    }

    public override Tensor forward(Tensor z, Tensor edgeIndex, Tensor alpha) => Convolve(z, z, EdgeList.Of(edgeIndex, nameof(PinSageConv)), alpha);

    /// <summary>The same over edges of either layout, from sources [Ns, in] to targets [Nd, in]; a padded edge has α 0.</summary>
    public Tensor Convolve(Tensor sources, Tensor targets, EdgeList edges, Tensor alpha)
    {
        var pooled = Pool(Messages(sources), edges, alpha, targets.shape[0]);
        var y = functional.linear(torch.cat([targets, pooled], 1), W, w).relu();
        return _normalize ? Edges.Normalize(y) : y;
    }

    /// <summary>ReLU(Q z + q): [N, mid].</summary>
    public Tensor Messages(Tensor z) => functional.linear(z, Q, q).relu();

    /// <summary>The α-weighted mean of each node's neighbours' messages: [N, mid].</summary>
    public static Tensor Pool(Tensor messages, EdgeList edges, Tensor alpha, long nodes)
    {
        var total = edges.Sum(alpha, nodes).unsqueeze(1);
        var sum = edges.Sum(edges.FromSources(messages) * alpha.unsqueeze(1), nodes);
        // A node without neighbours has sum 0 and total 0: its mean is 0, not NaN, and no gradient flows through the 1.
        return sum / torch.where(total.gt(0), total, torch.ones_like(total));
    }
}
