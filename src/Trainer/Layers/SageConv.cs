using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// GraphSAGE with the mean aggregator (Hamilton et al., NeurIPS 2017): y_i = W_l mean_{j → i} x_j + b + W_r x_i, optionally divided by
/// its norm. No incoming edge: the mean is 0. x_src [Ns, in_src], x_dst [Nd, in_dst], edge_index [2, E] → y [Nd, out].
/// </summary>
public sealed class SageConv : Module<Tensor, Tensor, Tensor, Tensor>
{
    private readonly bool _normalize;
    private readonly Linear lin_l;
    private readonly Linear lin_r;

    public SageConv(long inSource, long inTarget, long outputs, bool normalize = false) : base(nameof(SageConv))
    {
        _normalize = normalize;
        lin_l = Linear(inSource, outputs);
        lin_r = Linear(inTarget, outputs, hasBias: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor xSource, Tensor xTarget, Tensor edgeIndex)
    {
        var edges = EdgeList.Of(edgeIndex, nameof(SageConv));
        var mean = Segments.Mean(edges.FromSources(xSource), edges.Target, xTarget.shape[0]);
        var y = lin_l.forward(mean) + lin_r.forward(xTarget);
        return _normalize ? Edges.Normalize(y) : y;
    }
}
