using StreamRec.GraphStore;
using StreamRec.Trainer.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Data;

/// <summary>What is known of the items beside who chose them. Row = item index.</summary>
/// <param name="Text">[items × TextDim] L2-normalised text vectors, a row of zeros = no text; null when there are none at all.</param>
/// <param name="TextDim">Width of a text vector.</param>
/// <param name="Categories">Per item its category codes 0..CategoryCount−1.</param>
/// <param name="CategoryCount">Number of categories.</param>
public sealed record ItemFeatures(float[]? Text, int TextDim, int[][] Categories, int CategoryCount)
{
    /// <summary>Only what the item model is told to read.</summary>
    public ItemFeatures For(ItemModelOptions options) =>
        new(
            options.Text ? Text : null,
            TextDim,
            options.Categories ? Categories : [.. Categories.Select(_ => Array.Empty<int>())],
            options.Categories ? CategoryCount : 0);

    /// <summary>[items, categories] with 1/√(number of the item's categories) where it has one.</summary>
    public Tensor CategoryMatrix(Device device)
    {
        var dense = new float[Categories.Length * CategoryCount];
        for (var i = 0; i < Categories.Length; i++)
        {
            foreach (var c in Categories[i])
                dense[(i * CategoryCount) + c] = 1f / MathF.Sqrt(Categories[i].Length);
        }

        return torch.tensor(dense, new long[] { Categories.Length, CategoryCount }).to(device);
    }
}

/// <summary>
/// What the item model reads beside its weights, as tensors on one device: not part of the model, because it is given anew each time items
/// or edges arrive. Owned by whoever made it.
/// </summary>
public sealed class ItemInputs : IDisposable
{
    private readonly Neighbourhoods _graph;
    private readonly Tensor? _text;
    private readonly Tensor? _categories;
    private readonly Tensor _described;
    private readonly Tensor _untouched;
    private ItemView? _whole;

    /// <param name="features">Texts and categories.</param>
    /// <param name="graph">Neighbours of each item.</param>
    /// <param name="touched">Items with an event to learn from; the ID embedding of any other is left out.</param>
    /// <param name="device">Where the tensors live.</param>
    public ItemInputs(ItemFeatures features, Neighbourhoods graph, bool[] touched, Device device)
    {
        using var scope = torch.NewDisposeScope();
        (_graph, Items, TextDim, CategoryCount, Device) = (graph, graph.Rows, features.Text is null ? 0 : features.TextDim, features.CategoryCount, device);
        _text = TextDim == 0 ? null : torch.tensor(features.Text!, new long[] { Items, TextDim }).to(device);
        _categories = CategoryCount == 0 ? null : features.CategoryMatrix(device);
        var described = DescribedItems(features);
        _described = torch.tensor(described, new long[] { Items, 1 }).to(device);
        _untouched = torch.tensor(Array.ConvertAll(touched, t => !t), new long[] { Items, 1 }).to(device);
        Known = torch.tensor([.. touched.Zip(described, (t, d) => t || d)], new long[] { Items, 1 }).to(device);
        foreach (var tensor in Owned)
            tensor.DetachFromDisposeScope();
    }

    public int Items { get; }

    public Device Device { get; }

    /// <summary>For the neighbour head; null without one. Not owned: the encoders of an ensemble share it.</summary>
    public ItemEdges? Relations { get; init; }

    /// <summary>0 = no text.</summary>
    public int TextDim { get; }

    /// <summary>0 = no categories.</summary>
    public int CategoryCount { get; }

    /// <summary>[items, 1] bool: touched or described.</summary>
    public Tensor Known { get; }

    private IEnumerable<Tensor> Owned => new[] { _text, _categories, _described, _untouched, Known }.OfType<Tensor>();

    /// <summary>The whole catalogue. Memory: 28 bytes per neighbour, kept.</summary>
    /// <param name="layers">Graph layers of the model.</param>
    public ItemView All(int layers)
    {
        if (_whole is null || _whole.Blocks.Count < layers)
        {
            using var scope = torch.NewDisposeScope();
            DisposeWhole();
            var nodes = new ItemNodes(Items);
            for (var i = 0; i < Items; i++)
                nodes.Add(i);
            var block = BlockOf(nodes, Items);
            foreach (var tensor in block.Tensors)
                tensor.DetachFromDisposeScope();
            _whole = new ItemView(null, Items, _text, _categories, _described, _untouched, [.. Enumerable.Repeat(block, Math.Max(1, layers))]);
        }

        return _whole;
    }

    /// <summary>
    /// Some items and their neighbourhoods: the vectors are those of the whole catalogue, for the cost of these. Its tensors belong to the caller's scope.
    /// </summary>
    /// <param name="nodes">The items asked for; their neighbours are added.</param>
    /// <param name="layers">Graph layers of the model.</param>
    public ItemView Around(ItemNodes nodes, int layers)
    {
        // ends[h]: nodes within h hops of those asked for.
        var ends = new int[layers + 1];
        ends[0] = nodes.Count;
        for (var hop = 1; hop <= layers; hop++)
        {
            for (var row = hop == 1 ? 0 : ends[hop - 2]; row < ends[hop - 1]; row++)
            {
                foreach (var neighbour in _graph.Of(nodes[row]))
                    nodes.Add(neighbour);
            }

            ends[hop] = nodes.Count;
        }

        var rows = new long[nodes.Count];
        for (var row = 0; row < rows.Length; row++)
            rows[row] = nodes[row];
        var index = torch.tensor(rows).to(Device);
        Tensor Of(Tensor all) => all.index_select(0, index);
        var blocks = new ItemBlock[layers];
        for (var layer = 0; layer < layers; layer++)
            blocks[layer] = BlockOf(nodes, ends[layers - 1 - layer]);
        return new ItemView(
            index, ends[0], _text is null ? null : Of(_text), _categories is null ? null : Of(_categories), Of(_described), Of(_untouched), blocks);
    }

    public void Dispose()
    {
        DisposeWhole();
        foreach (var tensor in Owned)
            tensor.Dispose();
    }

    private void DisposeWhole()
    {
        foreach (var tensor in _whole?.Blocks[0].Tensors ?? [])
            tensor.Dispose();
        _whole = null;
    }

    /// <summary>The edges into the first nodes; all their neighbours are among the nodes already.</summary>
    private ItemBlock BlockOf(ItemNodes nodes, int targets)
    {
        var width = _graph.Width;
        var (source, target, keep, weight) = (new long[targets * width], new long[targets * width], new float[targets * width], new float[targets * width]);
        for (var row = 0; row < targets; row++)
        {
            var neighbours = _graph.Of(nodes[row]);
            var weights = _graph.WeightsOf(nodes[row]);
            for (var k = 0; k < width; k++)
            {
                var e = (row * width) + k;
                target[e] = row;
                if (k < neighbours.Length)
                    (source[e], keep[e], weight[e]) = (nodes.Add(neighbours[k]), 1, weights[k]);
            }
        }

        var importance = torch.tensor(weight).to(Device);
        var edges = new EdgeList(
            torch.tensor(source).to(Device), torch.tensor(target).to(Device), width, torch.tensor(keep, new long[] { keep.Length, 1 }).to(Device));
        return new ItemBlock(edges, importance, importance.clamp(min: 1e-6).log().unsqueeze(1), targets);
    }

    private static bool[] DescribedItems(ItemFeatures features)
    {
        var described = new bool[features.Categories.Length];
        for (var i = 0; i < described.Length; i++)
        {
            described[i] = features.Categories[i].Length > 0
                || (features.Text is not null && features.Text.AsSpan(i * features.TextDim, features.TextDim).ContainsAnyExcept(0f));
        }

        return described;
    }
}
