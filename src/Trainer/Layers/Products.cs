using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Layers;

/// <summary>The number format in which matrix products of training are computed.</summary>
public enum Precision
{
    /// <summary>float32.</summary>
    Full,

    /// <summary>16 bits with float32's range and 8 bits of mantissa: faster where the device has units for it, slower elsewhere.</summary>
    BFloat16,
}

/// <summary>
/// Matrix products of a model in the precision asked for: operands and results are rounded, and the results widened again. What is not a
/// product stays float32: the weights (master weights, Micikevicius et al., 2018), their gradients, the optimizer's moments, sums, norms and
/// softmax. bfloat16 has float32's range, so the loss needs no scaling (Kalamkar et al., 2019). Immutable.
/// </summary>
public sealed class Products
{
    private readonly bool _narrow;

    private Products(bool narrow) => _narrow = narrow;

    /// <summary>As they are.</summary>
    public static Products Full { get; } = new(false);

    /// <summary>In bfloat16.</summary>
    public static Products BFloat16 { get; } = new(true);

    public static Products In(Precision precision) => precision == Precision.BFloat16 ? BFloat16 : Full;

    /// <summary>x Wᵀ + b: x [..., in], the layer's W [out, in].</summary>
    public Tensor Linear(Linear layer, Tensor x) => Linear(x, layer.weight!, layer.bias);

    /// <summary>x Wᵀ + b, b may be null.</summary>
    public Tensor Linear(Tensor x, Tensor weight, Tensor? bias)
    {
        if (!_narrow)
            return F.linear(x, weight, bias!);
        var y = Wide(F.linear(Narrow(x), Narrow(weight), null!));
        return bias is null ? y : y + bias;
    }

    /// <summary>a b for each of a batch: [B, n, k] · [B, k, m].</summary>
    public Tensor Batched(Tensor a, Tensor b) => _narrow ? Wide(Narrow(a).bmm(Narrow(b))) : a.bmm(b);

    /// <summary>⟨a_i, b_i⟩ of each row: [B, k], [B, k] → [B].</summary>
    public Tensor Rows(Tensor a, Tensor b) => _narrow ? Batched(a.unsqueeze(1), b.unsqueeze(2)).reshape(-1) : (a * b).sum(1);

    private static Tensor Narrow(Tensor x) => x.to(ScalarType.BFloat16);

    private static Tensor Wide(Tensor x) => x.to(ScalarType.Float32);
}
