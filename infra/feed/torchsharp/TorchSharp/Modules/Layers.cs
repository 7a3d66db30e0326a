using static TorchSharp.torch;

namespace TorchSharp.Modules;

/// <summary>y = x W^T + b; weight [out, in]. Both start uniform within 1 / sqrt(in).</summary>
public sealed class Linear : nn.Module<Tensor, Tensor>
{
    internal Linear(long inputs, long outputs, bool hasBias, Device? device, ScalarType? dtype)
        : base(nameof(Linear))
    {
        var bound = inputs > 0 ? 1 / Math.Sqrt(inputs) : 0;
        weight = new Parameter(empty(outputs, inputs, dtype: dtype, device: device));
        nn.init.uniform_(weight, -bound, bound);
        register_parameter(nameof(weight), weight);
        if (!hasBias)
            return;
        bias = new Parameter(empty(outputs, dtype: dtype, device: device));
        nn.init.uniform_(bias, -bound, bound);
        register_parameter(nameof(bias), bias);
    }

    public Parameter weight { get; }

    public Parameter? bias { get; }

    public override Tensor forward(Tensor input) => nn.functional.linear(input, weight, bias);
}

/// <summary>Rows of a table [num, dim] by Int64 (or Int32) index; starts standard normal. The row padding_idx is 0 and gets no gradient.</summary>
public sealed class Embedding : nn.Module<Tensor, Tensor>
{
    private readonly long _padding;

    internal Embedding(long num, long dim, long? padding, Device? device, ScalarType? dtype)
        : base(nameof(Embedding))
    {
        _padding = padding switch
        {
            null => -1,
            < 0 => padding.Value + num,
            _ => padding.Value,
        };
        weight = new Parameter(empty(num, dim, dtype: dtype, device: device));
        nn.init.normal_(weight, 0, 1);
        if (_padding >= 0)
        {
            using var grad = no_grad();
            using var row = weight[_padding];
            row.zero_();
        }

        register_parameter(nameof(weight), weight);
    }

    public Parameter weight { get; }

    public override Tensor forward(Tensor input) => NativeMethods.srt_embedding(weight, input, _padding);
}

/// <summary>Zeroes elements with probability p and scales the others by 1 / (1 - p), in training only.</summary>
public sealed class Dropout : nn.Module<Tensor, Tensor>
{
    private readonly double _p;

    internal Dropout(double p)
        : base(nameof(Dropout)) => _p = p is >= 0 and <= 1 ? p : throw new ArgumentOutOfRangeException(nameof(p), $"dropout probability {p}");

    public override Tensor forward(Tensor input) => nn.functional.dropout(input, _p, training: training);
}

/// <summary>Normalises the last dimensions to mean 0 and variance 1, then scales and shifts.</summary>
public sealed class LayerNorm : nn.Module<Tensor, Tensor>
{
    private readonly long[] _shape;
    private readonly double _eps;

    internal LayerNorm(long[] shape, double eps, bool affine, Device? device, ScalarType? dtype)
        : base(nameof(LayerNorm))
    {
        (_shape, _eps) = ([.. shape], eps);
        if (!affine)
            return;
        weight = new Parameter(ones(_shape, dtype: dtype, device: device));
        bias = new Parameter(zeros(_shape, dtype: dtype, device: device));
        register_parameter(nameof(weight), weight);
        register_parameter(nameof(bias), bias);
    }

    public Parameter? weight { get; }

    public Parameter? bias { get; }

    public override Tensor forward(Tensor input) => nn.functional.layer_norm(input, _shape, weight, bias, _eps);
}

public sealed class GELU : nn.Module<Tensor, Tensor>
{
    internal GELU()
        : base(nameof(GELU))
    {
    }

    public override Tensor forward(Tensor input) => nn.functional.gelu(input);
}

public sealed class ReLU : nn.Module<Tensor, Tensor>
{
    internal ReLU()
        : base(nameof(ReLU))
    {
    }

    public override Tensor forward(Tensor input) => nn.functional.relu(input);
}

/// <summary>Gives its input back, as another handle so that disposing one leaves the other.</summary>
public sealed class Identity : nn.Module<Tensor, Tensor>
{
    internal Identity()
        : base(nameof(Identity))
    {
    }

    public override Tensor forward(Tensor input) => NativeMethods.srt_alias(input);
}
