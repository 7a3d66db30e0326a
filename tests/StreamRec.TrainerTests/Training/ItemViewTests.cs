using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Losses;
using StreamRec.Trainer.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Training;

public class ItemViewTests
{
    private const int Width = 8;

    [Theory]
    [InlineData(GraphLayer.None, 1)]
    [InlineData(GraphLayer.PinSage, 1)]
    [InlineData(GraphLayer.PinSage, 3)]
    [InlineData(GraphLayer.Gat, 2)]
    [InlineData(GraphLayer.GatV2, 2)]
    public void Some_items_and_their_neighbourhoods_give_the_vectors_and_gradients_of_the_whole_catalogue(GraphLayer layer, int layers)
    {
        for (var seed = 0; seed < 25; seed++)
            SameAsWhole(new ItemModelOptions { Layer = layer, Layers = layers, Text = true, Categories = true }, seed);
    }

    [Fact]
    public void A_view_holds_the_items_within_as_many_hops_as_there_are_layers_and_no_others()
    {
        // A chain: each item's one neighbour is the next.
        var chain = Neighbours(100, 1, i => i < 99 ? [i + 1] : []);
        using var scope = torch.NewDisposeScope();
        using var inputs = new ItemInputs(new ItemFeatures(null, 0, Nothing(100), 0), chain, [.. Enumerable.Repeat(true, 100)], torch.CPU);
        foreach (var layers in (int[])[0, 1, 3])
        {
            var nodes = new ItemNodes(100);
            foreach (var item in (int[])[40, 7, 97, 40])
                nodes.Add(item);
            var view = inputs.Around(nodes, layers);
            Assert.Equal(3, view.Asked);
            Assert.Equal(layers, view.Blocks.Count);
            int[] reached = [.. new[] { 40, 7, 97 }.SelectMany(i => Enumerable.Range(i, layers + 1)).Where(i => i < 100)];
            Assert.Equal(reached.Order(), view.Rows!.data<long>().ToArray().Select(i => (int)i).Order());
            Assert.Equal([40L, 7, 97], view.Rows!.data<long>().ToArray()[..3]);
        }
    }

    [Fact]
    public void The_vectors_of_a_large_catalogue_are_computed_in_pieces()
    {
        const int Items = 40_000;
        using var scope = torch.NewDisposeScope();
        using var none = torch.no_grad();
        using var inputs = new ItemInputs(
            new ItemFeatures(null, 0, Nothing(Items), 0), Neighbours(Items, 2, i => [(i * 7) % Items, (i + 1) % Items]),
            [.. Enumerable.Repeat(true, Items)], torch.CPU);
        using var model = new GraphRecommender(new EncoderConfig { Dim = 4, Heads = 1, Ffn = 4, MaxHistory = 4 }, new ItemModelOptions(), inputs, 0);
        model.Train(false);
        Near(model.Items.forward(inputs.All(1)), model.ItemVectors());
    }

    [Fact]
    public void Where_few_items_of_a_large_catalogue_have_events_the_loss_is_that_of_the_whole_catalogue()
    {
        const int Items = 100;
        using var scope = torch.NewDisposeScope();
        var market = TinyMarket.Create();
        var untouched = Enumerable.Range(0, Items - market.Items.Length).Select(i => market.Items[0] with { ItemId = $"new{i}" });
        var log = EventLog.From(market with { Items = [.. market.Items, .. untouched] });
        var counts = log.ItemCounts(log.Count);
        using var inputs = new ItemInputs(
            new ItemFeatures(null, 0, Nothing(Items), 0), Neighbours(Items, 2, i => [(i * 7) % Items, (i + 1) % Items]),
            [.. counts.Select(n => n > 0)], torch.CPU);
        torch.manual_seed(1);
        var encoder = new EncoderConfig { Dim = Width, Heads = 1, Ffn = Width, MaxHistory = 12 };
        using var model = new GraphRecommender(encoder, new ItemModelOptions { Dropout = 0 }, inputs, 0);
        model.Train(true);
        var sampler = new SequenceSampler(log, log.Count, 12, 200, EventTypes.Default, seed: 3);
        long[] classes = [.. counts.Index().Where(c => c.Item > 0).Select(c => (long)c.Index)];
        Assert.True(classes.Length * 2 <= Items);
        using var objective = new SoftmaxObjective(model, sampler, classes, new LoopOptions { LabelSmoothing = 0 });
        foreach (var batch in sampler.Epoch(0).Take(3))
        {
            var items = model.Items.forward(inputs.All(1));
            var hidden = model.Users.forward(items, batch.ToInput(torch.CPU));
            var asked = hidden.reshape(-1, Width).index_select(0, torch.tensor(batch.Asked));
            var rows = torch.tensor(classes);
            var target = torch.tensor(Array.ConvertAll(batch.Target, i => (long)Array.IndexOf(classes, i)));
            var expected = SoftmaxLosses.Full(asked, items.index_select(0, rows), model.Bias.index_select(0, rows), target);
            Assert.Equal(expected.ToDouble(), objective.Loss(batch).ToDouble(), 1e-5);
        }
    }

    /// <summary>Random catalogue, graph and questions.</summary>
    private static void SameAsWhole(ItemModelOptions options, int seed)
    {
        torch.manual_seed(seed);
        var random = new Random(seed);
        var items = random.Next(1, 41);
        using var scope = torch.NewDisposeScope();
        using var inputs = Inputs(random, items, 3);
        using var model = new ItemGraphModel(Width, items, inputs.TextDim, inputs.CategoryCount, options, new());
        model.eval();
        var nodes = new ItemNodes(items);
        for (var k = random.Next(1, 13); k > 0; k--)
            nodes.Add(random.Next(items));
        var rows = torch.tensor(Enumerable.Range(0, nodes.Count).Select(r => (long)nodes[r]).ToArray());

        var part = model.forward(inputs.Around(nodes, model.Layers));
        var whole = model.forward(inputs.All(model.Layers)).index_select(0, rows);
        Near(whole, part);
        var parameters = model.parameters().ToArray();
        var direction = torch.randn(whole.shape);
        var expected = torch.autograd.grad([(whole * direction).sum()], parameters, allow_unused: true);
        var given = torch.autograd.grad([(part * direction).sum()], parameters, allow_unused: true);
        for (var p = 0; p < parameters.Length; p++)
        {
            Assert.Equal(expected[p] is null, given[p] is null);
            if (expected[p] is not null)
                Near(expected[p], given[p]);
        }
    }

    private static void Near(Tensor expected, Tensor given)
    {
        Assert.Equal(expected.shape, given.shape);
        var off = (expected - given).abs().max().ToDouble();
        Assert.True(off < 1e-5 * (1 + expected.abs().max().ToDouble()), $"off by {off:g3}");
    }

    private static int[][] Nothing(int items) => [.. Enumerable.Repeat(Array.Empty<int>(), items)];

    /// <summary>Random neighbours (some items have none), texts and categories (some items have neither).</summary>
    private static ItemInputs Inputs(Random random, int items, int width)
    {
        var graph = Neighbours(items, width, i => [.. Enumerable.Range(0, random.Next(width + 1)).Select(_ => random.Next(items)).Distinct()]);
        var text = new float[items * 4];
        for (var i = 0; i < text.Length; i++)
            text[i] = i / 4 % 3 == 0 ? 0 : random.NextSingle() - 0.5f;
        return new ItemInputs(
            new ItemFeatures(text, 4, [.. Enumerable.Range(0, items).Select(i => i % 2 == 0 ? new[] { i % 5 } : [])], 5), graph,
            [.. Enumerable.Range(0, items).Select(_ => random.Next(4) > 0)], torch.CPU);
    }

    private static Neighbourhoods Neighbours(int items, int width, Func<int, int[]> of)
    {
        var (count, neighbour, weight) = (new int[items], new int[items * width], new float[items * width]);
        Array.Fill(neighbour, -1);
        for (var i = 0; i < items; i++)
        {
            var mine = of(i);
            count[i] = mine.Length;
            for (var k = 0; k < mine.Length; k++)
                (neighbour[(i * width) + k], weight[(i * width) + k]) = (mine[k], 1f / (k + 2));
        }

        return new Neighbourhoods(width, count, neighbour, weight);
    }
}
