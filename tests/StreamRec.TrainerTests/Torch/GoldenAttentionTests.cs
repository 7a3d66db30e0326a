using StreamRec.Trainer;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.TrainerTests.Torch;

/// <summary>A causal transformer built from this TorchSharp's modules, against PyTorch: every layer's output and all weight gradients.</summary>
public sealed class GoldenAttentionTests
{
    private const int Dim = 32;
    private const int Heads = 2;

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Causal_blocks_equal_the_golden_outputs_and_gradients(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("attention/causal_block");
        using var model = new CausalEncoder();
        model.to(dtype);
        model.load_state_dict(
            golden.Names.Where(n => n.StartsWith("param.", StringComparison.Ordinal))
                .ToDictionary(n => n[6..], n => golden.Tensor(n, dtype)));

        var y = model.forward(golden.Tensor("in.item_ids"), golden.Tensor("in.position"), golden.Tensor("in.gap_bucket"), golden.Tensor("in.mask"));
        golden.AssertClose("out.y", y);
        golden.AssertClose("out.attention0", model.First.Attention! * golden.Tensor("in.mask").view(3, 1, 9, 1)); // Padding asks nothing.
        var loss = (y * golden.Tensor("in.R", dtype)).sum();
        golden.AssertClose("out.loss", loss);
        loss.backward();
        foreach (var (name, parameter) in model.named_parameters())
            golden.AssertClose("grad.param." + name, parameter.Gradient()!);
    }

    private sealed class Attention : Module<Tensor, Tensor, Tensor>
    {
        private readonly Linear q = Linear(Dim, Dim);
        private readonly Linear k = Linear(Dim, Dim);
        private readonly Linear v = Linear(Dim, Dim);
        private readonly Linear o = Linear(Dim, Dim);

        public Attention()
            : base(nameof(Attention)) => RegisterComponents();

        public Tensor? Weights { get; private set; }

        public override Tensor forward(Tensor x, Tensor blocked)
        {
            long b = x.shape[0], n = x.shape[1];
            Tensor Split(Tensor t) => t.view(b, n, Heads, Dim / Heads).transpose(1, 2);
            var scores = Split(q.forward(x)).matmul(Split(k.forward(x)).mT) / Math.Sqrt(Dim / Heads);
            Weights = scores.masked_fill(blocked, -1e9).softmax(-1);
            return o.forward(Weights.matmul(Split(v.forward(x))).transpose(1, 2).reshape(b, n, Dim));
        }
    }

    private sealed class Block : Module<Tensor, Tensor, Tensor>
    {
        private readonly LayerNorm ln1 = LayerNorm(Dim, eps: 1e-5);
        private readonly Attention attn = new();
        private readonly LayerNorm ln2 = LayerNorm(Dim, eps: 1e-5);
        private readonly Linear fc1 = Linear(Dim, 4 * Dim);
        private readonly Linear fc2 = Linear(4 * Dim, Dim);

        public Block()
            : base(nameof(Block)) => RegisterComponents();

        public Tensor? Attention => attn.Weights;

        public override Tensor forward(Tensor x, Tensor blocked)
        {
            x = x + attn.forward(ln1.forward(x), blocked);
            return x + fc2.forward(F.gelu(fc1.forward(ln2.forward(x))));
        }
    }

    private sealed class CausalEncoder : Module<Tensor, Tensor, Tensor, Tensor, Tensor>
    {
        private readonly Embedding item_emb = Embedding(21, Dim);
        private readonly Embedding pos_emb = Embedding(16, Dim);
        private readonly Embedding gap_emb = Embedding(16, Dim);
        private readonly ModuleList<Block> blocks = new(new Block(), new Block());
        private readonly LayerNorm final_ln = LayerNorm(Dim, eps: 1e-5);

        public CausalEncoder()
            : base(nameof(CausalEncoder)) => RegisterComponents();

        public Block First => blocks[0];

        public override Tensor forward(Tensor items, Tensor positions, Tensor gaps, Tensor mask)
        {
            var n = items.shape[1];
            var blocked = ones(n, n).triu(1).gt(0).unsqueeze(0).add(mask.eq(0).unsqueeze(1)).gt(0).unsqueeze(1);
            var real = mask.unsqueeze(-1).to(pos_emb.weight!.dtype);
            var x = ((item_emb.forward(items) * Math.Sqrt(Dim)) + pos_emb.forward(positions) + gap_emb.forward(gaps)) * real;
            foreach (var block in blocks)
                x = block.forward(x, blocked);
            return final_ln.forward(x) * real;
        }
    }
}
