using StreamRec.GraphStore;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Bench;

/// <summary>
/// The item model of a large catalogue, forward and backward: for the items of one batch and their neighbourhoods, beside the whole catalogue.
/// </summary>
public sealed class CatalogueBench(BenchLog log, int rounds = 3, double seconds = 4)
{
    /// <summary>3,200 positions, their targets and 4,096 negatives, few of them twice.</summary>
    private const int BatchItems = 10_000;
    private const int Dim = 64, Width = 20;

    public void Run(CancellationToken ct)
    {
        foreach (var items in (int[])[20_000, 200_000])
            log.Add(Measure(items, ct));
    }

    private BenchResult Measure(int items, CancellationToken ct)
    {
        var random = new Random(1);
        using var inputs = new ItemInputs(
            new ItemFeatures(null, 0, [.. Enumerable.Repeat(Array.Empty<int>(), items)], 0), Neighbours(items, random),
            [.. Enumerable.Repeat(true, items)], CPU);
        using var model = new ItemGraphModel(Dim, items, 0, 0, new ItemModelOptions(), new());
        var nodes = new ItemNodes(items);
        List<double> parts = [], wholes = [];
        for (var round = 0; round < rounds; round++)
        {
            wholes.Add(Rounds.Rate(seconds, () => Step(model, () => inputs.All(1)), ct));
            parts.Add(Rounds.Rate(seconds, () => Step(model, () => inputs.Around(Draw(nodes, items, random), 1)), ct));
        }

        var how = $"vectors of {BatchItems:N0} random items of {items:N0} with their neighbourhoods, PinSAGE, {Width} neighbours, {Dim} wide, "
            + $"forward and backward, {get_num_threads()} threads; limit: the whole catalogue's";
        return Rounds.Row($"train_items_{items / 1000}k", "batches/s", parts, wholes, how);
    }

    private static ItemNodes Draw(ItemNodes nodes, int items, Random random)
    {
        nodes.Clear();
        for (var k = 0; k < BatchItems; k++)
            nodes.Add(random.Next(items));
        return nodes;
    }

    private static double Step(ItemGraphModel model, Func<ItemView> view)
    {
        using var scope = NewDisposeScope();
        autograd.grad([model.forward(view()).square().sum()], [.. model.parameters()], allow_unused: true);
        return 1;
    }

    private static Neighbourhoods Neighbours(int items, Random random)
    {
        var (count, neighbour, weight) = (new int[items], new int[items * Width], new float[items * Width]);
        Array.Fill(count, Width);
        Array.Fill(weight, 1f / Width);
        for (var e = 0; e < neighbour.Length; e++)
            neighbour[e] = random.Next(items);
        return new Neighbourhoods(Width, count, neighbour, weight);
    }
}
