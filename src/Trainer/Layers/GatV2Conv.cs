using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// Graph attention with dynamic attention (Brody, Alon, Yahav: How attentive are graph attention networks?, ICLR 2022):
/// the non-linearity comes before the attention vector, so that each node can rank its neighbours differently.
/// <code>
/// s_ij = a · LeakyReLU( W_l x_j + b_l + W_r x_i + b_r + W_e e_ij )       edge j → i, per head
/// α    = softmax of s over the edges into i
/// y_i  = concat or mean over heads of Σ_j α_ij (W_l x_j + b_l), + b
/// </code>
/// Shapes and return as <see cref="GatConv"/>. Parameter names are PyTorch Geometric's. Cost O((Ns + Nd)·in·H·C + E·H·C), with
/// a larger constant than <see cref="GatConv"/>: the score itself needs a [E, H, C] tensor.
/// </summary>
public sealed class GatV2Conv : Module<Tensor, Tensor, Tensor, Tensor?, (Tensor Y, Tensor Attention)>
{
    private readonly GatOptions _options;
    private readonly long _channels;
    private readonly Linear lin_l;
    private readonly Linear? lin_r;
    private readonly Linear? lin_edge;
    private readonly Parameter att;
    private readonly Parameter bias;

    /// <param name="inSource">Width of the source nodes' features.</param>
    /// <param name="inTarget">Width of the target nodes' features; null when it is the same.</param>
    /// <param name="channels">Output width C of one head.</param>
    /// <param name="options">Heads, edge features, weight sharing; null for the defaults.</param>
    public GatV2Conv(long inSource, long? inTarget, long channels, GatOptions? options = null) : base(nameof(GatV2Conv))
    {
        _options = options ?? new();
        _channels = channels;
        long heads = _options.Heads, width = heads * channels;
        lin_l = Linear(inSource, width);
        lin_r = _options.ShareWeights ? null : Linear(inTarget ?? inSource, width);
        lin_edge = _options.EdgeDim > 0 ? Linear(_options.EdgeDim, width, hasBias: false) : null;
        foreach (var linear in new[] { lin_l, lin_r, lin_edge })
        {
            if (linear is not null)
                init.xavier_uniform_(linear.weight!);
        }

        var limit = Math.Sqrt(6.0 / (heads + channels));
        att = new Parameter(torch.empty(1, heads, channels).uniform_(-limit, limit));
        bias = new Parameter(torch.zeros(_options.Concat ? width : channels));
        RegisterComponents();
    }

    public override (Tensor Y, Tensor Attention) forward(Tensor xSource, Tensor xTarget, Tensor edgeIndex, Tensor? edgeAttributes)
    {
        if (_options.AddSelfLoops)
            (edgeIndex, edgeAttributes) = SelfLoops.Replace(edgeIndex, edgeAttributes, xTarget.shape[0]);
        return Attend(xSource, xTarget, EdgeList.Of(edgeIndex, nameof(GatV2Conv)), edgeAttributes);
    }

    /// <summary>The same over edges of either layout; self loops are the caller's.</summary>
    public (Tensor Y, Tensor Attention) Attend(Tensor xSource, Tensor xTarget, EdgeList edges, Tensor? edgeAttributes)
    {
        Edges.Check(nameof(GatV2Conv), edges, edgeAttributes, _options.EdgeDim);
        long heads = _options.Heads, targets = xTarget.shape[0];
        var left = lin_l.forward(xSource).view(-1, heads, _channels);
        var right = lin_r is null && ReferenceEquals(xSource, xTarget) ? left : (lin_r ?? lin_l).forward(xTarget).view(-1, heads, _channels);

        var message = edges.FromSources(left);
        var joined = message + edges.FromTargets(right);
        if (lin_edge is not null)
            joined = joined + lin_edge.forward(edgeAttributes!).view(-1, heads, _channels);
        var logit = (F.leaky_relu(joined, _options.NegativeSlope) * att).sum(-1);
        var attention = edges.Softmax(logit, targets);
        var weight = _options.Dropout > 0 ? F.dropout(attention, _options.Dropout, training) : attention;
        var y = edges.Sum(weight.unsqueeze(-1) * message, targets);
        return (Edges.Combine(y, _options.Concat) + bias, attention);
    }
}
