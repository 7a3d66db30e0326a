using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// Multi-head self-attention (Vaswani et al., 2017): softmax(q kᵀ / √(d/H) + mask) v, then the output projection.
/// x [B, L, d], mask additive and broadcastable to [B, H, L, L] (0 = visible, −1e9 = hidden).
/// </summary>
public sealed class SelfAttention : Module<Tensor, Tensor, (Tensor Y, Tensor Attention)>
{
    private readonly int _heads;
    private readonly double _rate;
    private readonly MaskDropout _dropout;
    private readonly Products _products;
    private readonly Linear q;
    private readonly Linear k;
    private readonly Linear v;
    private readonly Linear o;

    public SelfAttention(long width, int heads, double rate, MaskDropout dropout, Products products) : base(nameof(SelfAttention))
    {
        if (heads < 1 || width % heads != 0)
            throw new ArgumentOutOfRangeException(nameof(heads), heads, $"the width {width} must be a multiple of the number of heads");
        (_heads, _rate, _dropout, _products) = (heads, rate, dropout, products);
        (q, k, v, o) = (Linear(width, width), Linear(width, width), Linear(width, width), Linear(width, width));
        RegisterComponents();
    }

    public override (Tensor Y, Tensor Attention) forward(Tensor x, Tensor mask)
    {
        long batch = x.shape[0], length = x.shape[1], width = x.shape[2], head = width / _heads;
        Tensor Split(Tensor t) => t.view(batch, length, _heads, head).transpose(1, 2).reshape(batch * _heads, length, head);
        var query = Split(_products.Linear(q, x)) * (1.0 / Math.Sqrt(head));
        var scores = _products.Batched(query, Split(_products.Linear(k, x)).transpose(1, 2)).view(batch, _heads, length, length) + mask;
        var attention = scores.softmax(-1);
        var weight = _dropout.Apply(attention, _rate, training).view(batch * _heads, length, length);
        var mixed = _products.Batched(weight, Split(_products.Linear(v, x))).view(batch, _heads, length, head).transpose(1, 2).reshape(batch, length, width);
        return (_products.Linear(o, mixed), attention);
    }
}

/// <summary>
/// One pre-LN transformer block (Xiong et al., 2020): x += o(attn(ln1 x)); x += ffn1(gelu(ffn0(ln2 x))), GELU exact (erf), LayerNorm ε 1e-5.
/// x [B, L, d] → [B, L, d] and the attention weights [B, H, L, L].
/// </summary>
public sealed class CausalBlock : Module<Tensor, Tensor, (Tensor Y, Tensor Attention)>
{
    private readonly double _rate;
    private readonly MaskDropout _dropout;
    private readonly Products _products;
    private readonly LayerNorm ln1;
    private readonly SelfAttention attn;
    private readonly LayerNorm ln2;
    private readonly ModuleList<Linear> ffn;

    /// <param name="width">d.</param>
    /// <param name="heads">H; must divide d.</param>
    /// <param name="hidden">Inner width of the feed-forward part.</param>
    /// <param name="rate">Dropout of the attention weights, of both branches and inside the feed-forward part.</param>
    /// <param name="dropout">Where the masks come from; shared by a model's blocks.</param>
    /// <param name="products">Precision of the matrix products; null = float32.</param>
    public CausalBlock(long width, int heads, long hidden, double rate, MaskDropout dropout, Products? products = null) : base(nameof(CausalBlock))
    {
        (_rate, _dropout, _products) = (rate, dropout, products ?? Products.Full);
        (ln1, ln2) = (LayerNorm(width, eps: 1e-5), LayerNorm(width, eps: 1e-5));
        attn = new SelfAttention(width, heads, rate, dropout, _products);
        ffn = new ModuleList<Linear>(Linear(width, hidden), Linear(hidden, width));
        RegisterComponents();
    }

    public override (Tensor Y, Tensor Attention) forward(Tensor x, Tensor mask)
    {
        var (mixed, attention) = attn.forward(ln1.forward(x), mask);
        x = x + _dropout.Apply(mixed, _rate, training);
        var inner = _dropout.Apply(F.gelu(_products.Linear(ffn[0], ln2.forward(x))), _rate, training);
        return (x + _dropout.Apply(_products.Linear(ffn[1], inner), _rate, training), attention);
    }

    /// <summary>[L, L] additive mask: position t sees positions ≤ t.</summary>
    public static Tensor Mask(long length, Device? device = null) =>
        torch.ones(new[] { length, length }, dtype: ScalarType.Float32, device: device).triu(1) * -1e9;
}
