using StreamRec.Trainer.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.TrainerTests.Layers;

public class CausalBlockTests
{
    private const long Width = 32;

    [Fact]
    public void Two_causal_blocks_equal_the_reference_with_left_and_right_padding()
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open("attention/causal_block");
        using var net = new Net();
        file.Load(net, Rename);
        var real = file.Tensor("in.mask");
        var length = real.shape[1];
        var hidden = real.eq(0).to(ScalarType.Float32).view(3, 1, 1, length) * -1e9;

        var (y, attention) = net.Run(file, real.unsqueeze(-1).to(ScalarType.Float32), CausalBlock.Mask(length) + hidden);

        // A left-padded row's first places see nobody: their softmax is over equal −1e9 values and multiplied away by the reference.
        var visible = CausalBlock.Mask(length).eq(0).to(ScalarType.Float32) * real.view(3, 1, 1, length).to(ScalarType.Float32)
            * real.view(3, 1, length, 1).to(ScalarType.Float32);
        file.AssertClose("out.attention0", attention * visible);
        file.AssertClose("out.y", y);
        file.CheckGradients((y * file.Float("in.R")).sum(), new Dictionary<string, Tensor>(), net, Rename);
    }

    [Fact]
    public void A_later_event_does_not_change_an_earlier_position()
    {
        using var scope = torch.NewDisposeScope();
        torch.manual_seed(3);
        var block = new CausalBlock(Width, 2, 64, 0.5, new MaskDropout());
        block.eval();
        var x = torch.randn(2, 6, Width);
        var longer = torch.cat([x, torch.randn(2, 3, Width)], 1);
        var (shortOut, _) = block.forward(x, CausalBlock.Mask(6));
        var (longOut, _) = block.forward(longer, CausalBlock.Mask(9));
        Assert.True(longOut.narrow(1, 0, 6).allclose(shortOut, 1e-5, 1e-6));
    }

    private static string Rename(string name) => name
        .Replace("ffn.0", "fc1", StringComparison.Ordinal).Replace("ffn.1", "fc2", StringComparison.Ordinal);

    /// <summary>The embedding part of the golden case around the blocks under test.</summary>
    private sealed class Net : Module<Tensor, Tensor>
    {
        private readonly Embedding item_emb = Embedding(21, Width);
        private readonly Embedding pos_emb = Embedding(16, Width);
        private readonly Embedding gap_emb = Embedding(16, Width);
        private readonly ModuleList<CausalBlock> blocks = new(
            new CausalBlock(Width, 2, 128, 0, new MaskDropout()),
            new CausalBlock(Width, 2, 128, 0, new MaskDropout()));
        private readonly LayerNorm final_ln = LayerNorm(Width, eps: 1e-5);

        public Net() : base("net") => RegisterComponents();

        public override Tensor forward(Tensor x) => final_ln.forward(x);

        public (Tensor Y, Tensor Attention) Run(Golden file, Tensor real, Tensor mask)
        {
            var x = (item_emb.forward(file.Tensor("in.item_ids")) * Math.Sqrt(Width)) + pos_emb.forward(file.Tensor("in.position"))
                + gap_emb.forward(file.Tensor("in.gap_bucket"));
            x *= real;
            Tensor? first = null;
            foreach (var block in blocks)
            {
                (x, var attention) = block.forward(x, mask);
                x *= real;
                first ??= attention;
            }

            return (final_ln.forward(x) * real, first!);
        }
    }
}
