using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.TrainerTests.Torch;

/// <summary>Autograd against central differences in float64, one case per family of operations.</summary>
public sealed class FiniteDifferenceTests
{
    private static readonly Tensor Index = tensor(new long[] { 2, 0, 2, 1 }).DetachFromDisposeScope();
    private static readonly Tensor Wide = tensor(new long[] { 0, 2, 1, 1, 2, 0, 0, 1, 2 }, new long[] { 3, 3 }).DetachFromDisposeScope();
    private static readonly Tensor Mask = tensor(new[] { true, false, false, true }).DetachFromDisposeScope();
    private static readonly Tensor Target = tensor(new long[] { 1, 3, 0 }).DetachFromDisposeScope();

    private static readonly Dictionary<string, (long[][] Shapes, Func<Tensor[], Tensor> Function)> Cases = new()
    {
        ["add, sub, mul with broadcasting"] = (S([3, 4], [4]), x => ((x[0] + x[1]) * x[0]) - (2 * x[1])),
        ["div and powers"] = (S([3, 4], [3, 1]), x => x[0].div(x[1].square() + 1) + (1.0 / (x[0].square() + 1)) + x[1].pow(3)),
        ["sqrt, rsqrt, log, log1p, exp"] = (
            S([5]),
            x => (x[0].square() + 0.5).sqrt() + (x[0].square() + 0.5).rsqrt() + (x[0].square() + 1).log()
                + x[0].square().log1p() + x[0].exp()),
        ["sin, cos, tanh, sigmoid, erf"] = (S([5]), x => x[0].sin() * x[0].cos() * x[0].tanh() * x[0].sigmoid() * x[0].erf()),
        ["abs, clamp, maximum, minimum"] = (S([6], [6]), x => x[0].abs() + x[0].clamp(min: -0.3, max: 0.4) + maximum(x[0], x[1]) - (2 * minimum(x[0], x[1]))),
        ["relu, leaky relu, elu, gelu, silu, softplus"] = (
            S([7]),
            x => F.relu(x[0]) + F.leaky_relu(x[0], 0.2) + F.elu(x[0], 1.0)
                + F.gelu(x[0]) + x[0].silu() + F.softplus(x[0])),
        ["mm and transpose"] = (S([3, 4], [5, 4]), x => x[0].mm(x[1].t())),
        ["bmm and mT"] = (S([2, 3, 4], [2, 5, 4]), x => x[0].bmm(x[1].mT)),
        ["matmul with batches"] = (S([2, 3, 4], [4, 5]), x => x[0].matmul(x[1])),
        ["dot and outer"] = (S([4], [4]), x => x[0].dot(x[1]) * outer(x[0], x[1])),
        ["einsum"] = (S([2, 3, 4], [2, 5, 4]), x => einsum("bik,bjk->bij", x[0], x[1])),
        ["linear with bias"] = (S([2, 3, 4], [5, 4], [5]), x => F.linear(x[0], x[1], x[2])),
        ["sum, mean, var, std over dimensions"] = (
            S([3, 4]),
            x => x[0].sum(1) + x[0].mean(new long[] { 1 }) + x[0].var(1, true, false) + x[0].std(1, false, false)),
        ["amax, max, logsumexp, cumsum, norm"] = (
            S([3, 4]),
            x => x[0].amax(new long[] { 1 }) + x[0].max(1).Item1 + x[0].logsumexp(1)
                + x[0].cumsum(1).sum(1) + x[0].norm(1, false, 2f)),
        ["softmax and log_softmax"] = (S([3, 4]), x => x[0].softmax(1) + F.log_softmax(x[0], 0)),
        ["layer_norm"] = (S([3, 4], [4], [4]), x => F.layer_norm(x[0], new long[] { 4 }, x[1], x[2], 1e-5)),
        ["index_select and gather"] = (S([3, 4]), x => x[0].index_select(0, Index).sum(0) + x[0].gather(1, Wide).sum(1, keepdim: true)),
        ["index_add and scatter_add"] = (S([3, 4], [4, 4], [3, 3]), x => x[0].index_add(0, Index, x[1], 1) + x[0].scatter_add(1, Wide, x[2])),
        ["indexing by number, slice, mask and tensor"] = (
            S([3, 4]),
            x => x[0][1] + x[0][TensorIndex.Slice(1, null, 1)].sum(0) + x[0][Index].sum(0)
                + x[0][TensorIndex.Colon, TensorIndex.Tensor(Mask)].sum()),
        ["cat, stack, split, chunk"] = (
            S([3, 4], [3, 4]),
            x => cat([x[0], x[1]], 1).chunk(2, 1)[1] * stack([x[0], x[1]])[0] + x[0].split(new long[] { 1, 3 }, 1)[0]),
        ["reshape, permute, expand, repeat, flip"] = (
            S([2, 3]),
            x => x[0].reshape(3, 2).permute(1, 0).unsqueeze(0).expand(2, 2, 3).sum(0)
                + x[0].repeat(2, 1).narrow(0, 1, 2)
                + x[0].flip(1)),
        ["repeat_interleave, tril, triu, diagonal, unbind"] = (
            S([3, 3]),
            x => x[0].repeat_interleave(2, 0).sum(0) + x[0].tril().sum(0)
                + (2 * x[0].triu(1).sum(0)) + x[0].diagonal(0, 0, 1) + x[0].unbind(1)[2]),
        ["masked_fill and where"] = (S([3, 4], [3, 4]), x => x[0].masked_fill(Mask, -3.0).exp() + where(Mask, x[0], x[1])),
        ["cross_entropy"] = (S([3, 4]), x => F.cross_entropy(x[0], Target)),
        ["cross_entropy, smoothed, weighted rows"] = (
            S([3, 4], [3]),
            x => F.cross_entropy(x[0], Target, reduction: nn.Reduction.None, label_smoothing: 0.1) * x[1]),
        ["binary cross entropy with logits"] = (S([3, 4]), x => F.binary_cross_entropy_with_logits(x[0], ones_like(x[0]) * 0.3)),
        ["cosine_similarity"] = (S([3, 4], [3, 4]), x => F.cosine_similarity(x[0], x[1], 1)),
        ["topk and sort"] = (S([3, 4]), x => x[0].topk(2, 1).Item1.sum(1) + x[0].sort(1, true).Item1[TensorIndex.Colon, TensorIndex.Single(3)]),
        ["in place on an intermediate"] = (S([3, 4], [4, 4]), x => (x[0] * 1).index_add_(0, Index, x[1], 2).add_(x[0]).mul_(0.5)),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradient_equals_central_differences(string name)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(17, CPU);
        var (shapes, function) = Cases[name];
        var inputs = shapes.Select(s => randn(s, dtype: ScalarType.Float64, generator: random)).ToArray();
        foreach (var input in inputs)
            input.requires_grad = true;
        var weights = randn(function(inputs).shape, dtype: ScalarType.Float64, generator: random);
        var gradients = autograd.grad([(function(inputs) * weights).sum()], inputs);

        for (var k = 0; k < inputs.Length; k++)
            Compare(name, k, inputs, gradients[k].contiguous(), x => (function(x) * weights).sum());
    }

    private static void Compare(string name, int k, Tensor[] inputs, Tensor gradient, Func<Tensor[], Tensor> loss)
    {
        const double step = 1e-6;
        using var grad = no_grad();
        var analytic = gradient.data<double>().ToArray();
        var values = inputs[k].data<double>().ToArray();
        for (var i = 0; i < values.Length; i++)
        {
            double At(double value)
            {
                using var scope = NewDisposeScope();
                var moved = (double[])values.Clone();
                moved[i] = value;
                var x = (Tensor[])inputs.Clone();
                x[k] = tensor(moved, inputs[k].shape);
                return loss(x).item<double>();
            }

            var numeric = (At(values[i] + step) - At(values[i] - step)) / (2 * step);
            Assert.True(
                Math.Abs(numeric - analytic[i]) <= 2e-7 * (1 + Math.Abs(numeric)),
                $"{name}, input {k}, element {i}: autograd {analytic[i]:R}, differences {numeric:R}");
        }
    }

    private static long[][] S(params long[][] shapes) => shapes;
}
