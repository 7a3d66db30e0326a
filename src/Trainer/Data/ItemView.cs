using StreamRec.Trainer.Layers;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Data;

/// <summary>The edges of one graph layer: into the first nodes of a view from all of them.</summary>
/// <param name="Edges">Neighbour → node, a fixed number per node.</param>
/// <param name="Weight">[E] importance, 0 for padding.</param>
/// <param name="LogWeight">[E, 1], the edge feature of the attention layers.</param>
/// <param name="Targets">How many nodes, from the first, get a new vector.</param>
public sealed record ItemBlock(EdgeList Edges, Tensor Weight, Tensor LogWeight, long Targets)
{
    internal IEnumerable<Tensor> Tensors => [Edges.Source, Edges.Target, Edges.Keep!, Weight, LogWeight];
}

/// <summary>
/// What the item model computes at once: the whole catalogue, or the items asked for with what their vectors depend on, as deep as there are
/// layers (the message flow graph of a mini-batch; Hamilton et al.: Inductive representation learning on large graphs, 2017, Algorithm 2).
/// Nodes that are asked for come first.
/// </summary>
/// <param name="Rows">[nodes] Int64 catalogue rows; null = all, in order.</param>
/// <param name="Asked">Nodes whose vectors are wanted.</param>
/// <param name="Text">[nodes, text]; null without.</param>
/// <param name="Categories">[nodes, categories]; null without.</param>
/// <param name="Described">[nodes, 1] bool: has a text or a category, so it can do without its ID.</param>
/// <param name="Untouched">[nodes, 1] bool: nobody touched it in what is learned from, so its ID embedding says nothing.</param>
/// <param name="Blocks">One per graph layer, in the order of the layers.</param>
public sealed record ItemView(
    Tensor? Rows, long Asked, Tensor? Text, Tensor? Categories, Tensor Described, Tensor Untouched, IReadOnlyList<ItemBlock> Blocks)
{
    /// <summary>Everything it is made of.</summary>
    internal IEnumerable<Tensor> Tensors => new[] { Rows, Text, Categories, Described, Untouched }.OfType<Tensor>().Concat(Blocks.SelectMany(b => b.Tensors));
}
