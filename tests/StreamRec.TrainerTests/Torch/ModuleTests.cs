using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.TrainerTests.Torch;

public sealed class ModuleTests
{
    [Fact]
    public void Field_names_are_the_keys_of_the_state_dictionary()
    {
        using var model = new Net();
        Assert.Equal(
            [
                "scale", "inner.weight", "inner.bias",
                "blocks.0.linear.weight", "blocks.0.linear.bias", "blocks.1.linear.weight", "blocks.1.linear.bias",
                "norm.weight", "norm.bias", "offset",
            ],
            [.. model.named_parameters().Select(p => p.name), .. model.named_buffers().Select(b => b.name)]);
        Assert.Equal(10, model.state_dict().Count);
        Assert.Equal(["inner", "blocks", "norm", "drop"], model.named_children().Select(c => c.name));
        Assert.NotNull(model.get_parameter("blocks.1.linear.bias"));
    }

    [Fact]
    public void Saved_state_is_loaded_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        using Net first = new(), second = new();
        var file = new MemoryStream();
        first.save(file);
        second.load(new MemoryStream(file.ToArray()));
        foreach (var (name, tensor) in first.state_dict())
            Assert.True(tensor.bytes.SequenceEqual(second.state_dict()[name].bytes), name);
        first.eval();
        second.eval();
        var x = rand(3, 4);
        Assert.True(first.forward(x).bytes.SequenceEqual(second.forward(x).bytes));
    }

    [Fact]
    public void Loading_strictly_refuses_missing_and_unknown_names()
    {
        using var scope = NewDisposeScope();
        using var model = new Net();
        var state = model.state_dict();
        state.Remove("scale");
        state["other"] = ones(1);
        Assert.ThrowsAny<InvalidOperationException>(() => model.load_state_dict(state));
        var (missing, unexpected) = model.load_state_dict(state, strict: false);
        Assert.Equal(["scale"], missing);
        Assert.Equal(["other"], unexpected);
    }

    [Fact]
    public void Dropout_acts_in_training_only_and_keeps_the_mean()
    {
        using var scope = NewDisposeScope();
        using var dropout = Dropout(0.25);
        var x = ones(100_000);
        var dropped = dropout.forward(x);
        Assert.InRange(dropped.mean().item<float>(), 0.98f, 1.02f);
        Assert.InRange(dropped.eq(0).sum().item<long>(), 24_000, 26_000);
        dropout.eval();
        Assert.True(dropout.forward(x).allclose(x));
    }

    [Fact]
    public void A_module_moves_to_another_type_in_place_and_integer_buffers_need_no_care_of_the_optimiser()
    {
        using var scope = NewDisposeScope();
        using var linear = Linear(3, 2);
        var weight = linear.weight!;
        linear.to(ScalarType.Float64);
        Assert.Equal(ScalarType.Float64, linear.weight!.dtype);
        Assert.Equal(ScalarType.Float64, linear.forward(ones(1, 3, dtype: ScalarType.Float64)).dtype);
        _ = weight;
    }

    [Fact]
    public void The_padding_row_of_an_embedding_is_zero_and_gets_no_gradient()
    {
        using var scope = NewDisposeScope();
        using var table = Embedding(5, 3, padding_idx: 0);
        var rows = table.forward(tensor(new long[] { 0, 2, 2 }));
        Assert.Equal(0f, rows[0].abs().sum().item<float>());
        var gradient = autograd.grad([rows.sum()], [table.weight!])[0];
        Assert.Equal([0f, 0f, 6f, 0f, 0f], gradient.sum(1).data<float>().ToArray());
    }

    [Fact]
    public void Training_mode_reaches_every_part()
    {
        using var model = new Net();
        model.eval();
        Assert.All(model.modules(), m => Assert.False(m.training));
        model.train();
        Assert.All(model.modules(), m => Assert.True(m.training));
    }

    [Fact]
    public void Initialisers_have_their_distribution()
    {
        using var scope = NewDisposeScope();
        var x = empty(200, 500);
        init.normal_(x, 1, 2);
        Assert.InRange(x.mean().item<float>(), 0.95f, 1.05f);
        init.trunc_normal_(x, 0, 1);
        Assert.True(x.abs().max().item<float>() <= 2);
        Assert.InRange(x.var(0, true, false).mean().item<float>(), 0.74f, 0.81f); // 0.774 for a normal cut at 2.
        init.xavier_uniform_(x);
        Assert.InRange(x.max().item<float>(), 0.09f, 0.0926f); // sqrt(6 / 700) = 0.0926
        init.kaiming_uniform_(x, Math.Sqrt(5));
        Assert.InRange(x.max().item<float>(), 0.044f, 0.0448f); // 1 / sqrt(500)
        init.constant_(x, 3);
        Assert.Equal(3f, x.min().item<float>());
    }

    private sealed class Block : Module<Tensor, Tensor>
    {
        private readonly Linear linear = Linear(4, 4);

        public Block()
            : base(nameof(Block)) => RegisterComponents();

        public override Tensor forward(Tensor x) => x + linear.forward(x);
    }

    private sealed class Net : Module<Tensor, Tensor>
    {
        private readonly Parameter scale = new(ones(4));
        private readonly Linear inner = Linear(4, 4);
        private readonly ModuleList<Block> blocks = new(new Block(), new Block());
        private readonly LayerNorm norm = LayerNorm(4);
        private readonly Dropout drop = Dropout(0.1);
        private readonly Tensor offset = arange(4.0);

        public Net()
            : base(nameof(Net)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            x = inner.forward(x * scale) + offset;
            foreach (var block in blocks)
                x = block.forward(x);
            return drop.forward(norm.forward(x));
        }
    }
}
