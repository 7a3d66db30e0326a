using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Losses;
using StreamRec.Trainer.Training;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

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
        using var scope = torch.NewDisposeScope();
        using var market = new ScatteredMarket();
        using var objective = new SoftmaxObjective(market.Model, market.Sampler, market.Classes, new LoopOptions { LabelSmoothing = 0 });
        foreach (var batch in market.Sampler.Epoch(0).Take(3))
        {
            var (items, asked) = market.Whole(batch);
            var rows = torch.tensor(market.Classes);
            var expected = SoftmaxLosses.Full(asked, items.index_select(0, rows), market.Model.Bias.index_select(0, rows), market.ClassesOf(batch));
            market.SameLoss(expected, objective.Loss(batch));
        }
    }

    [Fact]
    public void The_sampled_loss_of_a_batch_is_that_of_the_whole_catalogue_with_the_same_negatives()
    {
        using var scope = torch.NewDisposeScope();
        using var market = new ScatteredMarket();
        const int Negatives = 12;
        var options = new LoopOptions { FullSoftmaxItems = 10, Negatives = Negatives };
        using var objective = new SoftmaxObjective(market.Model, market.Sampler, market.Classes, options);
        var q = torch.tensor(Array.ConvertAll(market.Classes, c => (float)Math.Pow(market.Sampler.ItemCounts[c], 0.75)));
        var logQ = (q / q.sum()).log();
        foreach (var batch in market.Sampler.Epoch(0).Take(3))
        {
            torch.manual_seed(8);
            var given = objective.Loss(batch);
            torch.manual_seed(8);
            var drawn = torch.multinomial(logQ.exp(), Negatives, true);
            var (items, asked) = market.Whole(batch);
            var rows = torch.tensor(market.Classes);
            var logits = functional.linear(asked, items.index_select(0, rows), market.Model.Bias.index_select(0, rows)) - logQ;
            var target = market.ClassesOf(batch);
            var hits = target.unsqueeze(1).eq(drawn.unsqueeze(0));
            var columns = torch.cat([logits.gather(1, target.unsqueeze(1)), logits.index_select(1, drawn).masked_fill(hits, -1e9)], 1);
            market.SameLoss(-columns.log_softmax(1).narrow(1, 0, 1).mean(), given);
        }
    }

    [Theory]
    [InlineData(GraphLayer.PinSage)]
    [InlineData(GraphLayer.Gat)]
    [InlineData(GraphLayer.GatV2)]
    public void On_several_threads_the_gradient_is_the_same_bit_for_bit(GraphLayer layer)
    {
        const int Items = 4_000;
        try
        {
            torch.set_num_threads(4);
            using var scope = torch.NewDisposeScope();
            var random = new Random(5);
            using var inputs = new ItemInputs(
                new ItemFeatures(null, 0, Nothing(Items), 0), Neighbours(Items, 20, _ => [.. Enumerable.Range(0, 20).Select(_ => random.Next(50))]),
                [.. Enumerable.Repeat(true, Items)], torch.CPU);
            torch.manual_seed(1);
            using var model = new ItemGraphModel(32, Items, 0, 0, new ItemModelOptions { Layer = layer }, new());
            model.eval();
            float[] Gradient() => torch.autograd.grad([model.forward(inputs.All(1)).square().sum()], [model.Table])[0].data<float>().ToArray();
            var first = Gradient();
            for (var again = 0; again < 5; again++)
                Assert.Equal(first, Gradient());
        }
        finally
        {
            torch.set_num_threads(1);
        }
    }

    /// <summary>Random catalogue, graph and questions.</summary>
    private static void SameAsWhole(ItemModelOptions options, int seed)
    {
        torch.manual_seed(seed);
        var random = new Random(seed);
        var items = random.Next(1, 41);
        using var scope = torch.NewDisposeScope();
        using var inputs = Inputs(random, items, 3, [.. Enumerable.Range(0, items).Select(_ => random.Next(4) > 0)]);
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
    private static ItemInputs Inputs(Random random, int items, int width, bool[] touched)
    {
        var graph = Neighbours(items, width, i => [.. Enumerable.Range(0, random.Next(width + 1)).Select(_ => random.Next(items)).Distinct()]);
        var text = new float[items * 4];
        for (var i = 0; i < text.Length; i++)
            text[i] = i / 4 % 3 == 0 ? 0 : random.NextSingle() - 0.5f;
        return new ItemInputs(
            new ItemFeatures(text, 4, [.. Enumerable.Range(0, items).Select(i => i % 2 == 0 ? new[] { i % 5 } : [])], 5), graph, touched, torch.CPU);
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

    /// <summary>A market whose items are every third of a catalogue from the third on, so that no class is its item; texts and categories for some.</summary>
    private sealed class ScatteredMarket : IDisposable
    {
        private const int Items = 130;
        private readonly ItemInputs _inputs;

        public ScatteredMarket()
        {
            var market = TinyMarket.Create();
            var log = EventLog.From(market with
            {
                Items = [.. Enumerable.Range(0, Items).Select(i => market.Items[0] with { ItemId = $"i{i}" })],
                Item = [.. market.Item.Select(i => (3 * i) + 2)],
            });
            Sampler = new SequenceSampler(log, log.Count, 12, 200, EventTypes.Default, seed: 3);
            Classes = [.. Sampler.ItemCounts.Index().Where(c => c.Item > 0).Select(c => (long)c.Index)];
            Assert.True(Classes.Length * 2 <= Items);
            Assert.DoesNotContain(0L, Classes);
            _inputs = Inputs(new Random(2), Items, 3, Array.ConvertAll(Sampler.ItemCounts, n => n > 0));
            torch.manual_seed(1);
            var encoder = new EncoderConfig { Dim = Width, Heads = 1, Ffn = Width, MaxHistory = 12, AttributeRows = log.AttributeRows };
            var shape = new ItemModelOptions { Dropout = 0, IdDropout = 0, Text = true, Categories = true };
            Model = new GraphRecommender(encoder, shape, _inputs, 0);
            Model.Train(true);
            using var none = torch.no_grad();
            Model.Bias.copy_(torch.randn(Model.Bias.shape, dtype: ScalarType.Float32));
        }

        public GraphRecommender Model { get; }
        public SequenceSampler Sampler { get; }
        public long[] Classes { get; }

        public Tensor ClassesOf(SequenceBatch batch) => torch.tensor(Array.ConvertAll(batch.Target, i => (long)Array.IndexOf(Classes, i)));

        /// <summary>The vectors of the whole catalogue, and of the users at the asked positions.</summary>
        public (Tensor Items, Tensor Asked) Whole(SequenceBatch batch)
        {
            var items = Model.Items.forward(_inputs.All(1));
            var hidden = Model.Users.forward(items, batch.ToInput(torch.CPU));
            return (items, hidden.reshape(-1, Width).index_select(0, torch.tensor(batch.Asked)));
        }

        /// <summary>Values and the gradients of all parameters.</summary>
        public void SameLoss(Tensor expected, Tensor given)
        {
            Assert.Equal(expected.ToDouble(), given.ToDouble(), 1e-5);
            var parameters = Model.Parameters.Select(p => p.Value).ToArray();
            var gradients = torch.autograd.grad([expected], parameters, allow_unused: true);
            foreach (var (mine, theirs) in torch.autograd.grad([given], parameters, allow_unused: true).Zip(gradients))
            {
                Assert.Equal(theirs is null, mine is null);
                if (mine is not null)
                    Near(theirs!, mine);
            }
        }

        public void Dispose()
        {
            Model.Dispose();
            _inputs.Dispose();
        }
    }
}
