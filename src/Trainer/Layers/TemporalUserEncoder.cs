using StreamRec.Model;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Layers;

/// <summary>Integer codes of a batch of histories, each [B, L] Int64, oldest event first, padded on the right.</summary>
/// <param name="Item">Row of the item vectors.</param>
/// <param name="Type">Event type code.</param>
/// <param name="Value">Value bucket.</param>
/// <param name="Gap">Bucket of the time since the previous event; 0 = none.</param>
/// <param name="Ask">Bucket of the time to the next event, or to the moment of the question; 0 = unknown.</param>
/// <param name="Attributes">[B, A] float, 1 where the user has the attribute; null when nothing is known of the users.</param>
public sealed record EncoderInput(Tensor Item, Tensor Type, Tensor Value, Tensor Gap, Tensor Ask, Tensor? Attributes = null);

/// <summary>
/// A user as the attention over their newest edges (SASRec, Kang and McAuley, 2018, with edge and time features):
/// <code>
/// x_t = √d · v(item_t) + pos_t + type + value + ask [+ gap] + Σ attributes        t counts from the oldest event shown
/// x   = causal pre-LN blocks(x);   user vector after event t = ln(x_t)
/// </code>
/// The managed twin is <see cref="UserEncoder"/>, which reads the same tensors under the same names (prefix <c>user.</c>).
/// Inductive: it has no user embedding, so a user who appeared a second ago has a vector.
/// </summary>
public sealed class TemporalUserEncoder : Module<Tensor, EncoderInput, Tensor>
{
    private readonly EncoderConfig _config;
    private readonly double _rate;
    private readonly bool _gaps;
    private readonly MaskDropout _dropout;
    private readonly Embedding pos;
    private readonly Embedding type;
    private readonly Embedding value;
    private readonly Embedding gap;
    private readonly Embedding ask;
    private readonly Embedding? attribute;
    private readonly ModuleList<CausalBlock> blocks;
    private readonly LayerNorm ln;

    /// <param name="config">Shape.</param>
    /// <param name="rate">Dropout of the input and in the blocks.</param>
    /// <param name="dropout">Where the masks come from.</param>
    /// <param name="gaps">
    /// Read the time since the previous event. Off by default: beside the time to the question it only hurt (P2-strict .090 → .082).
    /// </param>
    /// <param name="products">Precision of the matrix products; null = float32.</param>
    public TemporalUserEncoder(EncoderConfig config, double rate, MaskDropout dropout, bool gaps = false, Products? products = null)
        : base(nameof(TemporalUserEncoder))
    {
        (_config, _rate, _dropout, _gaps) = (config, rate, dropout, gaps);
        pos = Small(config.MaxHistory, config.Dim);
        type = Small(config.TypeRows, config.Dim);
        value = Small(config.ValueRows, config.Dim);
        gap = Small(config.TimeRows, config.Dim);
        if (!gaps)
            init.zeros_(gap.weight!);
        ask = Small(config.TimeRows, config.Dim);
        attribute = config.AttributeRows > 0 ? Small(config.AttributeRows, config.Dim) : null;
        blocks = new ModuleList<CausalBlock>([.. Enumerable.Range(0, config.Blocks)
            .Select(_ => new CausalBlock(config.Dim, config.Heads, config.Ffn, rate, dropout, products))]);
        ln = LayerNorm(config.Dim, eps: 1e-5);
        RegisterComponents();
    }

    /// <summary>User vectors after each event: items [N, d] and codes [B, L] → [B, L, d].</summary>
    public override Tensor forward(Tensor items, EncoderInput batch) => Encode(items, batch, null);

    /// <summary>The same with something added to the attention logits, broadcastable to [L, L]: for explanations.</summary>
    public Tensor Encode(Tensor items, EncoderInput batch, Tensor? edgeMask)
    {
        long rows = batch.Item.shape[0], length = batch.Item.shape[1];
        if (length > _config.MaxHistory)
            throw new ArgumentException($"a history of {length} events is longer than max_history {_config.MaxHistory}", nameof(batch));
        var x = items.index_select(0, batch.Item.reshape(-1)).view(rows, length, _config.Dim) * Math.Sqrt(_config.Dim);
        x = x + pos.weight!.narrow(0, 0, length) + type.forward(batch.Type) + value.forward(batch.Value)
            + ask.forward(batch.Ask);
        if (_gaps)
            x = x + gap.forward(batch.Gap);
        if (attribute is not null && batch.Attributes is not null)
            x = x + batch.Attributes.mm(attribute.weight!).unsqueeze(1);
        x = _dropout.Apply(x, _rate, training);
        var mask = CausalBlock.Mask(length, items.device);
        if (edgeMask is not null)
            mask = mask + edgeMask;
        foreach (var block in blocks)
            (x, _) = block.forward(x, mask);
        return ln.forward(x);
    }

    private static Embedding Small(long rows, long width)
    {
        var table = Embedding(rows, width);
        init.normal_(table.weight!, 0, 0.02);
        return table;
    }
}
