using StreamRec.Trainer.Data;
using StreamRec.Trainer.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer;

/// <summary>Which layer runs over the item graph.</summary>
public enum GraphLayer
{
    /// <summary>None: items are their own features only.</summary>
    None,

    /// <summary><see cref="PinSageConv"/>: neighbours weighted by how often the walks visit them.</summary>
    PinSage,

    /// <summary><see cref="GatConv"/>: learned attention, with the log importance as edge feature.</summary>
    Gat,

    /// <summary><see cref="GatV2Conv"/>, likewise.</summary>
    GatV2,
}

/// <summary>Shape of the item side.</summary>
public sealed record ItemModelOptions
{
    /// <summary>Layer kind. Default PinSAGE.</summary>
    public GraphLayer Layer { get; init; } = GraphLayer.PinSage;

    /// <summary>How many layers; each lets an item see one hop further.</summary>
    public int Layers { get; init; } = 1;

    /// <summary>Attention heads of the GAT layers; must divide the width.</summary>
    public int Heads { get; init; } = 2;

    /// <summary>Chance that an item with text or categories loses its ID embedding in a batch, so that those alone learn to place a new item.</summary>
    public double IdDropout { get; init; } = 0.1;

    /// <summary>Read the items' texts. Default false; new items have the text channel.</summary>
    public bool Text { get; init; }

    /// <summary>Read the items' categories. Default false, like <see cref="Text"/>.</summary>
    public bool Categories { get; init; }

    /// <summary>Layer norm over the sum of ID, text and categories. Default false; of use where texts of another scale join the ID.</summary>
    public bool Normalize { get; init; }

    /// <summary>Dropout on what a graph layer adds.</summary>
    public double Dropout { get; init; } = 0.3;
}

/// <summary>
/// Item vectors from everything known about the items:
/// <code>
/// h⁰ = LayerNorm( ID embedding (dropped at random, 0 for an item nobody touched) + P·text + C·categories )
/// h  ← h + Dropout(layer(h, item graph))            per graph layer
/// </code>
/// Returns [N, d] for the N items asked for: the whole catalogue, or a batch's part of it (<see cref="ItemView"/>).
/// Cost O(n·d·(text + categories) + E·d + n·d²) for n nodes and E edges of the view.
/// </summary>
public sealed class ItemGraphModel : Module<ItemView, Tensor>
{
    private readonly ItemModelOptions _options;
    private readonly MaskDropout _dropout;
    private readonly Parameter id;
    private readonly Linear? text;
    private readonly Linear? category;
    private readonly LayerNorm? ln;
    private readonly ModuleList<PinSageConv> pinsage;
    private readonly ModuleList<GatConv> gat;
    private readonly ModuleList<GatV2Conv> gatv2;

    public ItemGraphModel(int width, int items, int textDim, int categories, ItemModelOptions options, MaskDropout dropout) : base(nameof(ItemGraphModel))
    {
        (_options, _dropout) = (options, dropout);
        id = new Parameter(torch.randn(new long[] { items, width }, dtype: ScalarType.Float32) * (options.Normalize ? 0.5 : 0.02));
        text = textDim > 0 ? Linear(textDim, width, hasBias: false) : null;
        category = categories > 0 ? Linear(categories, width, hasBias: false) : null;
        if (options.Normalize)
        {
            ln = LayerNorm(width, eps: 1e-5);
            // Item vectors start with norm 1: as inputs they are scaled by √d again, as outputs they give logits of order 1.
            init.constant_(ln.weight!, 1.0 / Math.Sqrt(width));
        }

        int Count(GraphLayer kind) => options.Layer == kind ? options.Layers : 0;
        var attention = new GatOptions { Heads = options.Heads, EdgeDim = 1 };
        var head = width / options.Heads;
        pinsage = new([.. Enumerable.Range(0, Count(GraphLayer.PinSage)).Select(_ => new PinSageConv(width, width, width, normalize: false))]);
        gat = new([.. Enumerable.Range(0, Count(GraphLayer.Gat)).Select(_ => new GatConv(width, null, head, attention))]);
        gatv2 = new([.. Enumerable.Range(0, Count(GraphLayer.GatV2)).Select(_ => new GatV2Conv(width, null, head, attention))]);
        RegisterComponents();
    }

    /// <summary>Graph layers: as many hops away an item sees.</summary>
    public int Layers => _options.Layer == GraphLayer.None ? 0 : _options.Layers;

    /// <summary>The ID embeddings [N, d].</summary>
    public Parameter Table => id;

    public override Tensor forward(ItemView given)
    {
        // Indexing, not index_select: its backward pass takes half the time on CPU, and no row is asked for twice.
        var own = given.Rows is null ? id : id[given.Rows];
        var h = own.masked_fill(given.Untouched, 0);
        if (training && _options.IdDropout > 0 && (text is not null || category is not null))
        {
            var drop = torch.rand(new[] { own.shape[0], 1L }, dtype: ScalarType.Float32, device: own.device).lt(_options.IdDropout);
            h = h.masked_fill(drop.logical_and(given.Described), 0);
        }

        if (text is not null)
            h = h + text.forward(given.Text!);
        if (category is not null)
            h = h + category.forward(given.Categories!);
        h = ln is null ? h : ln.forward(h);
        for (var layer = 0; layer < Layers; layer++)
        {
            var block = given.Blocks[layer];
            var targets = block.Targets == h.shape[0] ? h : h.narrow(0, 0, block.Targets);
            h = targets + _dropout.Apply(Message(layer, h, targets, block), _options.Dropout, training);
        }

        return h;
    }

    private Tensor Message(int layer, Tensor sources, Tensor targets, ItemBlock block) => _options.Layer switch
    {
        GraphLayer.PinSage => pinsage[layer].Convolve(sources, targets, block.Edges, block.Weight),
        GraphLayer.Gat => gat[layer].Attend(sources, targets, block.Edges, block.LogWeight).Y,
        _ => gatv2[layer].Attend(sources, targets, block.Edges, block.LogWeight).Y,
    };
}
