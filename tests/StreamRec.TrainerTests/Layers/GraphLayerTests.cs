using System.Text.Json;
using StreamRec.Trainer.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Layers;

public class GraphLayerTests
{
    private static readonly JsonElement Cases = Golden.Json("gnn/cases.json").GetProperty("cases");

    public static TheoryData<string> Of(string prefix) =>
        [.. Cases.EnumerateArray().Select(c => c.GetProperty("name").GetString()!).Where(n => n.StartsWith(prefix, StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Of), "gat_")]
    [MemberData(nameof(Of), "gatv2_")]
    public void Attention_layer_equals_the_reference_with_gradients(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open($"gnn/{name}");
        var config = Config(name);
        var options = new GatOptions
        {
            Heads = config.GetProperty("heads").GetInt32(),
            Concat = config.GetProperty("concat").GetBoolean(),
            EdgeDim = file.Has("in.edge_attr") ? (int)file.Float("in.edge_attr").shape[1] : 0,
            AddSelfLoops = Flag(config, "add_self_loops"),
            ShareWeights = Flag(config, "share_weights"),
        };
        var leaves = new Dictionary<string, Tensor>();
        var (source, target) = Ends(file, leaves, "x");
        if (options.EdgeDim > 0)
            leaves["edge_attr"] = file.Leaf("in.edge_attr");
        long? inTarget = ReferenceEquals(source, target) ? null : target.shape[1];
        var channels = config.GetProperty("out_channels").GetInt64();
        nn.Module<Tensor, Tensor, Tensor, Tensor?, (Tensor Y, Tensor Attention)> layer = name.StartsWith("gatv2", StringComparison.Ordinal)
            ? new GatV2Conv(source.shape[1], inTarget, channels, options)
            : new GatConv(source.shape[1], inTarget, channels, options);
        file.Load(layer);

        var (y, attention) = layer.forward(source, target, file.Tensor("in.edge_index"), leaves.GetValueOrDefault("edge_attr"));

        file.AssertClose("out.y", y);
        file.AssertClose("out.attention", attention);
        file.CheckGradients((y * file.Float("in.R")).sum(), leaves, layer);
    }

    [Theory]
    [MemberData(nameof(Of), "sage_")]
    public void Sage_layer_equals_the_reference_with_gradients(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open($"gnn/{name}");
        var config = Config(name);
        var leaves = new Dictionary<string, Tensor>();
        var (source, target) = Ends(file, leaves, "x");
        var layer = new SageConv(source.shape[1], target.shape[1], config.GetProperty("out_channels").GetInt64(), Flag(config, "normalize"));
        file.Load(layer);
        var y = layer.forward(source, target, file.Tensor("in.edge_index"));
        file.AssertClose("out.y", y);
        file.CheckGradients((y * file.Float("in.R")).sum(), leaves, layer);
    }

    [Theory]
    [MemberData(nameof(Of), "pinsage_")]
    public void PinSage_layer_equals_algorithm_1_with_gradients(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open($"gnn/{name}");
        var config = Config(name);
        var leaves = new Dictionary<string, Tensor> { ["z"] = file.Leaf("in.z"), ["alpha"] = file.Leaf("in.alpha") };
        var layer = new PinSageConv(config.GetProperty("in").GetInt64(), config.GetProperty("mid").GetInt64(), config.GetProperty("out").GetInt64());
        file.Load(layer);
        var edges = file.Tensor("in.edge_index");
        file.AssertClose("out.h", layer.Messages(leaves["z"]));
        file.AssertClose("out.n", PinSageConv.Pool(layer.Messages(leaves["z"]), EdgeList.Of(edges, "test"), leaves["alpha"], leaves["z"].shape[0]));
        var y = layer.forward(leaves["z"], edges, leaves["alpha"]);
        file.AssertClose("out.y", y);
        file.CheckGradients((y * file.Float("in.R")).sum(), leaves, layer);
    }

    [Theory]
    [MemberData(nameof(Of), "l")]
    public void LightGcn_propagation_equals_the_reference_with_gradients(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open($"gnn/{name}");
        var config = Config(name);
        var leaves = new Dictionary<string, Tensor> { ["x"] = file.Leaf("in.x") };
        if (file.Has("in.edge_weight"))
            leaves["edge_weight"] = file.Leaf("in.edge_weight");
        var alpha = config.TryGetProperty("alpha", out var given) && given.ValueKind == JsonValueKind.Array
            ? given.EnumerateArray().Select(a => a.GetDouble()).ToArray()
            : null;
        var layers = file.NamesFrom("out.layer").Count();
        var (y, outputs) = LightGcn.Propagate(leaves["x"], file.Tensor("in.edge_index"), leaves.GetValueOrDefault("edge_weight"), layers, alpha);
        for (var k = 0; k < layers; k++)
            file.AssertClose($"out.layer{k + 1}", outputs[k]);
        file.AssertClose("out.y", y);
        file.CheckGradients((y * file.Float("in.R")).sum(), leaves);
    }

    [Theory]
    [MemberData(nameof(Of), "segment_")]
    public void Segment_reductions_equal_the_reference_with_gradients(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open($"gnn/{name}");
        var (x, index, segments) = (file.Leaf("in.src"), file.Tensor("in.index"), file.Tensor("in.num_segments").item<long>());
        var (softmax, mean) = (Segments.Softmax(x, index, segments), Segments.Mean(x, index, segments));
        file.AssertClose("out.softmax", softmax);
        file.AssertClose("out.mean", mean);
        file.AssertClose("out.sum", Segments.Sum(x, index, segments));
        file.AssertClose("out.max", Segments.Max(x, index, segments));
        var loss = (softmax * file.Float("in.R")).sum() + (mean * file.Float("in.R2")).sum();
        file.AssertClose("out.loss", loss);
        file.AssertClose("grad.src", torch.autograd.grad([loss], [x])[0]);
    }

    [Fact]
    public void Attention_of_each_node_sums_to_one_over_its_edges()
    {
        using var scope = torch.NewDisposeScope();
        torch.manual_seed(1);
        var layer = new GatConv(8, null, 4, new GatOptions { Heads = 2 });
        var edges = torch.tensor(new long[] { 0, 1, 2, 3, 1, 1, 1, 0, 0, 2 }, new long[] { 2, 5 });
        var x = torch.randn(4, 8);
        var (_, attention) = layer.forward(x, x, edges, null);
        var sums = Segments.Sum(attention, edges[1], 4).data<float>().ToArray();
        Assert.All([0, 1, 2], node => Assert.Equal(1, sums[node * 2], 5));
        Assert.Equal(0, sums[6]);
    }

    [Fact]
    public void A_fixed_number_of_edges_per_node_gives_what_the_edge_list_gives()
    {
        using var scope = torch.NewDisposeScope();
        torch.manual_seed(2);
        // Node 0 has two edges, node 1 one, node 2 none; the rest is padding.
        var keep = torch.tensor(new float[] { 1, 1, 1, 0, 0, 0 }, new long[] { 6, 1 });
        var padded = new EdgeList(torch.tensor(new long[] { 1, 2, 0, 0, 0, 0 }), torch.tensor(new long[] { 0, 0, 1, 1, 2, 2 }), 2, keep);
        var list = torch.tensor(new long[] { 1, 2, 0, 0, 0, 1 }, new long[] { 2, 3 });
        var weight = torch.tensor(new float[] { 0.25f, 0.75f, 1, 0, 0, 0 });
        var feature = torch.randn(6, 1);
        var x = torch.randn(3, 8).requires_grad_();
        var sage = new PinSageConv(8, 8, 8);
        var gat = new GatConv(8, null, 4, new GatOptions { Heads = 2, EdgeDim = 1 });
        var gatV2 = new GatV2Conv(8, null, 4, new GatOptions { Heads = 2, EdgeDim = 1 });
        (Tensor Padded, Tensor List)[] pairs =
        [
            (sage.Convolve(x, x, padded, weight), sage.forward(x, list, weight.narrow(0, 0, 3))),
            (gat.Attend(x, x, padded, feature).Y, gat.forward(x, x, list, feature.narrow(0, 0, 3)).Y),
            (gatV2.Attend(x, x, padded, feature).Y, gatV2.forward(x, x, list, feature.narrow(0, 0, 3)).Y),
        ];
        foreach (var (one, other) in pairs)
        {
            Assert.True(one.allclose(other, 1e-5, 1e-6));
            var r = torch.randn(one.shape);
            var gradients = new[] { one, other }.Select(y => torch.autograd.grad([(y * r).sum()], [x])[0]).ToArray();
            Assert.True(gradients[0].allclose(gradients[1], 1e-4, 1e-5));
        }
    }

    [Fact]
    public void Edge_features_a_layer_was_not_built_for_are_refused()
    {
        using var scope = torch.NewDisposeScope();
        var layer = new GatConv(8, null, 4);
        var x = torch.randn(4, 8);
        var edges = torch.zeros(new long[] { 2, 3 }, dtype: ScalarType.Int64);
        var error = Assert.Throws<ArgumentException>(() => layer.forward(x, x, edges, torch.ones(3, 2)));
        Assert.Contains("width 0", error.Message, StringComparison.Ordinal);
    }

    private static JsonElement Config(string name) => Cases.EnumerateArray().First(c => c.GetProperty("name").GetString() == name).GetProperty("config");

    private static bool Flag(JsonElement config, string name) => config.TryGetProperty(name, out var value) && value.GetBoolean();

    private static (Tensor Source, Tensor Target) Ends(Golden file, Dictionary<string, Tensor> leaves, string name)
    {
        if (file.Has("in." + name))
        {
            leaves[name] = file.Leaf("in." + name);
            return (leaves[name], leaves[name]);
        }

        (leaves[name + "_src"], leaves[name + "_dst"]) = (file.Leaf($"in.{name}_src"), file.Leaf($"in.{name}_dst"));
        return (leaves[name + "_src"], leaves[name + "_dst"]);
    }
}
