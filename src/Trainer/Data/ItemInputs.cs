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
    /// <param name="features">Texts and categories.</param>
    /// <param name="graph">Neighbours of each item.</param>
    /// <param name="touched">Items with an event to learn from; the ID embedding of any other is left out.</param>
    /// <param name="device">Where the tensors live.</param>
    public ItemInputs(ItemFeatures features, Neighbourhoods graph, bool[] touched, Device device)
    {
        using var scope = torch.NewDisposeScope();
        (Items, TextDim, CategoryCount) = (graph.Rows, features.Text is null ? 0 : features.TextDim, features.CategoryCount);
        Text = Keep(TextDim == 0 ? torch.zeros(1) : torch.tensor(features.Text!, new long[] { Items, TextDim }).to(device));
        Categories = Keep(CategoryCount == 0 ? torch.zeros(1) : features.CategoryMatrix(device));
        Edges = EdgesOf(graph, device);
        var weight = torch.tensor(graph.Weight).to(device);
        Weight = Keep(weight);
        LogWeight = Keep(weight.clamp(min: 1e-6).log().unsqueeze(1));
        var described = DescribedItems(features);
        Described = Keep(torch.tensor(described, new long[] { Items, 1 }).to(device));
        Untouched = Keep(torch.tensor(Array.ConvertAll(touched, t => !t), new long[] { Items, 1 }).to(device));
        Known = Keep(torch.tensor([.. touched.Zip(described, (t, d) => t || d)], new long[] { Items, 1 }).to(device));
    }

    public int Items { get; }

    /// <summary>For the neighbour head; null without one. Not owned: the encoders of an ensemble share it.</summary>
    public ItemEdges? Relations { get; init; }

    /// <summary>0 = no text.</summary>
    public int TextDim { get; }

    /// <summary>0 = no categories.</summary>
    public int CategoryCount { get; }

    public Tensor Text { get; }
    public Tensor Categories { get; }

    /// <summary>Neighbour → item, <see cref="Neighbourhoods.Width"/> per item.</summary>
    public EdgeList Edges { get; }

    /// <summary>[E] importance, 0 for padding.</summary>
    public Tensor Weight { get; }

    /// <summary>[E, 1], the edge feature of the attention layers.</summary>
    public Tensor LogWeight { get; }

    /// <summary>[items, 1] bool: has a text or a category, so it can do without its ID.</summary>
    public Tensor Described { get; }

    /// <summary>[items, 1] bool: nobody touched it in what is learned from, so its ID embedding says nothing.</summary>
    public Tensor Untouched { get; }

    /// <summary>[items, 1] bool: touched or described.</summary>
    public Tensor Known { get; }

    public void Dispose()
    {
        foreach (var tensor in new[] { Text, Categories, Edges.Source, Edges.Target, Edges.Keep!, Weight, LogWeight, Described, Untouched, Known })
            tensor.Dispose();
    }

    private static Tensor Keep(Tensor tensor) => tensor.DetachFromDisposeScope();

    private static EdgeList EdgesOf(Neighbourhoods graph, Device device)
    {
        var source = Array.ConvertAll(graph.Neighbour, n => Math.Max(0L, n));
        var target = Enumerable.Range(0, source.Length).Select(e => (long)(e / graph.Width)).ToArray();
        var keep = Array.ConvertAll(graph.Neighbour, n => n < 0 ? 0f : 1f);
        return new EdgeList(
            Keep(torch.tensor(source).to(device)), Keep(torch.tensor(target).to(device)), graph.Width,
            Keep(torch.tensor(keep, new long[] { keep.Length, 1 }).to(device)));
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
