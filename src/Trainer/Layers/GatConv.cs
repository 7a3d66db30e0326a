using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Layers;

/// <summary>What the two attention layers share.</summary>
public sealed record GatOptions
{
    /// <summary>Attention heads H.</summary>
    public int Heads { get; init; } = 1;

    /// <summary>True: the heads' outputs side by side, [N, H·C]. False: their mean, [N, C].</summary>
    public bool Concat { get; init; } = true;

    /// <summary>Width of the edge features; 0 = edges carry none.</summary>
    public int EdgeDim { get; init; }

    /// <summary>Slope of LeakyReLU below 0.</summary>
    public double NegativeSlope { get; init; } = 0.2;

    /// <summary>Replace self loops by exactly one per node (square graphs only).</summary>
    public bool AddSelfLoops { get; init; }

    /// <summary>Chance that an attention weight is dropped in training.</summary>
    public double Dropout { get; init; }

    /// <summary>GATv2 only: one matrix for both ends of an edge.</summary>
    public bool ShareWeights { get; init; }
}

/// <summary>
/// Graph attention (Veličković et al., ICLR 2018), multi-head, with optional edge features:
/// <code>
/// s_ij  = LeakyReLU( a_src·(W_s x_j) + a_dst·(W_d x_i) + a_edge·(W_e e_ij) )      edge j → i, per head
/// α_ij  = exp(s_ij) / Σ_{j' → i} exp(s_ij')
/// y_i   = concat or mean over heads of Σ_j α_ij W_s x_j, + b                      no incoming edge: y_i = b
/// </code>
/// Shapes: x_src [Ns, in_src], x_dst [Nd, in_dst], edge_index [2, E] Int64 (source row, target row), edge_attr [E, edge_dim]
/// → y [Nd, H·C] or [Nd, C] and the attention weights α [E, H] in the order of the edges (with self loops: the kept edges,
/// then one per node). Parameter names are PyTorch Geometric's. Cost O((Ns + Nd)·in·H·C + E·H·C).
/// </summary>
public sealed class GatConv : Module<Tensor, Tensor, Tensor, Tensor?, (Tensor Y, Tensor Attention)>
{
    private readonly GatOptions _options;
    private readonly long _channels;
    private readonly Linear? lin;
    private readonly Linear? lin_src;
    private readonly Linear? lin_dst;
    private readonly Linear? lin_edge;
    private readonly Parameter att_src;
    private readonly Parameter att_dst;
    private readonly Parameter? att_edge;
    private readonly Parameter bias;

    /// <param name="inSource">Width of the source nodes' features.</param>
    /// <param name="inTarget">Width of the target nodes' features; null for a square graph, whose two ends share one matrix.</param>
    /// <param name="channels">Output width C of one head.</param>
    /// <param name="options">Heads, edge features and the rest; null for the defaults.</param>
    public GatConv(long inSource, long? inTarget, long channels, GatOptions? options = null) : base(nameof(GatConv))
    {
        _options = options ?? new();
        _channels = channels;
        long heads = _options.Heads, width = heads * channels;
        if (inTarget is null)
            lin = Linear(inSource, width, hasBias: false);
        else
            (lin_src, lin_dst) = (Linear(inSource, width, hasBias: false), Linear(inTarget.Value, width, hasBias: false));
        att_src = Glorot(heads, channels);
        att_dst = Glorot(heads, channels);
        if (_options.EdgeDim > 0)
            (lin_edge, att_edge) = (Linear(_options.EdgeDim, width, hasBias: false), Glorot(heads, channels));
        bias = new Parameter(torch.zeros(_options.Concat ? width : channels));
        foreach (var linear in new[] { lin, lin_src, lin_dst, lin_edge })
        {
            if (linear is not null)
                init.xavier_uniform_(linear.weight!);
        }

        RegisterComponents();
    }

    public override (Tensor Y, Tensor Attention) forward(Tensor xSource, Tensor xTarget, Tensor edgeIndex, Tensor? edgeAttributes)
    {
        if (_options.AddSelfLoops)
            (edgeIndex, edgeAttributes) = SelfLoops.Replace(edgeIndex, edgeAttributes, xTarget.shape[0]);
        return Attend(xSource, xTarget, EdgeList.Of(edgeIndex, nameof(GatConv)), edgeAttributes);
    }

    /// <summary>The same over edges of either layout; self loops are the caller's.</summary>
    public (Tensor Y, Tensor Attention) Attend(Tensor xSource, Tensor xTarget, EdgeList edges, Tensor? edgeAttributes)
    {
        Edges.Check(nameof(GatConv), edges, edgeAttributes, _options.EdgeDim);
        long heads = _options.Heads, targets = xTarget.shape[0];
        var fromSource = (lin ?? lin_src!).forward(xSource).view(-1, heads, _channels);
        var fromTarget = lin is not null && ReferenceEquals(xSource, xTarget)
            ? fromSource
            : (lin ?? lin_dst!).forward(xTarget).view(-1, heads, _channels);

        var logit = edges.FromSources((fromSource * att_src).sum(-1)) + edges.FromTargets((fromTarget * att_dst).sum(-1));
        if (lin_edge is not null)
        {
            // a·(W e) = (Wᵀ a)·e: the [E, H·C] product is never made.
            var direction = (lin_edge.weight!.view(heads, _channels, _options.EdgeDim) * att_edge!.view(heads, _channels, 1)).sum(1);
            logit = logit + edgeAttributes!.mm(direction.t());
        }

        var attention = edges.Softmax(F.leaky_relu(logit, _options.NegativeSlope), targets);
        var weight = _options.Dropout > 0 ? F.dropout(attention, _options.Dropout, training) : attention;
        var y = edges.Sum(weight.unsqueeze(-1) * edges.FromSources(fromSource), targets);
        return (Edges.Combine(y, _options.Concat) + bias, attention);
    }

    private static Parameter Glorot(long heads, long channels)
    {
        var limit = Math.Sqrt(6.0 / (heads + channels));
        return new Parameter(torch.empty(1, heads, channels).uniform_(-limit, limit));
    }
}
