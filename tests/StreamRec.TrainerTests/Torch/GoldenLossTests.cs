using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.TrainerTests.Torch;

/// <summary>Losses written out over this TorchSharp, with their gradients, against PyTorch's float64 results.</summary>
public sealed class GoldenLossTests
{
    private static readonly Dictionary<string, Func<Golden, ScalarType, Dictionary<string, Tensor>, Tensor>> Losses = new()
    {
        ["cross_entropy"] = (g, t, x) => F.cross_entropy(x["logits"], g.Tensor("in.target")),
        ["cross_entropy_ignore_index"] = (g, t, x) => F.cross_entropy(x["logits"], g.Tensor("in.target"), ignore_index: -100),
        ["cross_entropy_label_smoothing"] = (g, t, x) => F.cross_entropy(x["logits"], g.Tensor("in.target"), label_smoothing: 0.1),
        ["full_softmax_item_table"] = (g, t, x) => F.cross_entropy(F.linear(x["user"], x["item_table"], x["item_bias"]), g.Tensor("in.target")),
        ["bpr"] = (g, t, x) => F.softplus((x["user"] * (x["neg"] - x["pos"])).sum(1)).mean(),
        ["bpr_extreme"] = (g, t, x) => F.softplus(-x["diff"]).mean(),
        ["inbatch_logq"] = (g, t, x) => F.cross_entropy((x["user"].mm(x["item"].t()) / 0.25) - g.Tensor("in.logq", t), arange(6)),
        ["inbatch_logq_weighted"] = (g, t, x) =>
        {
            var rows = F.cross_entropy((x["user"].mm(x["item"].t()) / 0.25) - g.Tensor("in.logq", t), arange(6), reduction: nn.Reduction.None);
            var weight = g.Tensor("in.weight", t);
            return (rows * weight).sum() / weight.sum();
        },
        ["infonce"] = (g, t, x) => F.cross_entropy(Normalise(x["a"]).mm(Normalise(x["b"]).t()) / 0.125, arange(6)),
        ["max_margin_hardest_in_batch"] = (g, t, x) =>
        {
            var s = x["query"].mm(x["item"].t());
            var hardest = s.masked_fill(eye(6).gt(0), -1e9).amax(new long[] { 1 });
            return F.relu(hardest - s.diagonal(0, 0, 1) + 1).mean();
        },
    };

    public static TheoryData<string, ScalarType> Cases
    {
        get
        {
            var data = new TheoryData<string, ScalarType>();
            foreach (var name in Losses.Keys)
            {
                data.Add(name, ScalarType.Float32);
                data.Add(name, ScalarType.Float64);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Loss_and_gradients_equal_the_golden_values(string name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("losses/" + name);
        var wanted = golden.Names.Where(n => n.StartsWith("grad.", StringComparison.Ordinal)).Select(n => n[5..]).ToArray();
        var inputs = wanted.ToDictionary(n => n, n => golden.Input(n, dtype));
        var loss = Losses[name](golden, dtype, inputs);
        golden.AssertClose("out.loss", loss);
        var gradients = autograd.grad([loss], [.. wanted.Select(n => inputs[n])]);
        for (var i = 0; i < wanted.Length; i++)
            golden.AssertClose("grad." + wanted[i], gradients[i]);
    }

    private static Tensor Normalise(Tensor x) => x / x.norm(1, true, 2f).clamp(min: 1e-12);
}
