namespace TorchSharp;

public static partial class torch
{
    /// <summary>Pointwise arithmetic; shapes are broadcast as in NumPy.</summary>
    public partial class Tensor
    {
        public Tensor neg() => NativeMethods.srt_neg(this);

        public Tensor abs() => NativeMethods.srt_abs(this);

        public Tensor sqrt() => NativeMethods.srt_sqrt(this);

        public Tensor rsqrt() => NativeMethods.srt_rsqrt(this);

        public Tensor exp() => NativeMethods.srt_exp(this);

        public Tensor log() => NativeMethods.srt_log(this);

        public Tensor log1p() => NativeMethods.srt_log1p(this);

        public Tensor square() => NativeMethods.srt_square(this);

        public Tensor sign() => NativeMethods.srt_sign(this);

        public Tensor floor() => NativeMethods.srt_floor(this);

        public Tensor round() => NativeMethods.srt_round(this);

        public Tensor erf() => NativeMethods.srt_erf(this);

        public Tensor sin() => NativeMethods.srt_sin(this);

        public Tensor cos() => NativeMethods.srt_cos(this);

        public Tensor tanh() => NativeMethods.srt_tanh(this);

        public Tensor sigmoid() => NativeMethods.srt_sigmoid(this);

        public Tensor relu() => NativeMethods.srt_relu(this);

        public Tensor isnan() => NativeMethods.srt_isnan(this);

        public Tensor isfinite() => NativeMethods.srt_isfinite(this);

        public Tensor logical_not() => NativeMethods.srt_logical_not(this);

        public Tensor nan_to_num() => NativeMethods.srt_nan_to_num(this);

        public Tensor silu() => NativeMethods.srt_silu(this);

        public Tensor mul(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(mul));
            return NativeMethods.srt_mul(this, other);
        }

        public Tensor mul(Scalar other) => NativeMethods.srt_mul_scalar(this, other);

        public Tensor pow(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(pow));
            return NativeMethods.srt_pow(this, other);
        }

        public Tensor pow(Scalar other) => NativeMethods.srt_pow_scalar(this, other);

        public Tensor remainder(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(remainder));
            return NativeMethods.srt_remainder(this, other);
        }

        public Tensor remainder(Scalar other) => NativeMethods.srt_remainder_scalar(this, other);

        public Tensor eq(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(eq));
            return NativeMethods.srt_eq(this, other);
        }

        public Tensor eq(Scalar other) => NativeMethods.srt_eq_scalar(this, other);

        public Tensor ne(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(ne));
            return NativeMethods.srt_ne(this, other);
        }

        public Tensor ne(Scalar other) => NativeMethods.srt_ne_scalar(this, other);

        public Tensor lt(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(lt));
            return NativeMethods.srt_lt(this, other);
        }

        public Tensor lt(Scalar other) => NativeMethods.srt_lt_scalar(this, other);

        public Tensor le(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(le));
            return NativeMethods.srt_le(this, other);
        }

        public Tensor le(Scalar other) => NativeMethods.srt_le_scalar(this, other);

        public Tensor gt(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(gt));
            return NativeMethods.srt_gt(this, other);
        }

        public Tensor gt(Scalar other) => NativeMethods.srt_gt_scalar(this, other);

        public Tensor ge(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(ge));
            return NativeMethods.srt_ge(this, other);
        }

        public Tensor ge(Scalar other) => NativeMethods.srt_ge_scalar(this, other);

        public Tensor add(Tensor other) => add(other, Scalar.One);

        public Tensor add(Tensor other, Scalar alpha)
        {
            ShapeCheck.Broadcast(this, other, nameof(add));
            return NativeMethods.srt_add(this, other, alpha);
        }

        public Tensor add(Scalar other) => NativeMethods.srt_add_scalar(this, other, Scalar.One);

        public Tensor sub(Tensor other) => sub(other, Scalar.One);

        public Tensor sub(Tensor other, Scalar alpha)
        {
            ShapeCheck.Broadcast(this, other, nameof(sub));
            return NativeMethods.srt_sub(this, other, alpha);
        }

        public Tensor sub(Scalar other) => NativeMethods.srt_sub_scalar(this, other, Scalar.One);

        public Tensor div(Tensor other, RoundingMode rounding_mode = RoundingMode.None)
        {
            ShapeCheck.Broadcast(this, other, nameof(div));
            return NativeMethods.srt_div(this, other, (int)rounding_mode);
        }

        public Tensor div(Scalar other, RoundingMode rounding_mode = RoundingMode.None) => NativeMethods.srt_div_scalar(this, other, (int)rounding_mode);

        public Tensor logical_and(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(logical_and));
            return NativeMethods.srt_logical_and(this, other);
        }

        public Tensor clamp(Scalar? min = null, Scalar? max = null) => NativeMethods.srt_clamp(this, min, max);
    }

    public static Tensor exp(Tensor input) => input.exp();

    public static Tensor log(Tensor input) => input.log();

    public static Tensor log1p(Tensor input) => input.log1p();

    public static Tensor sqrt(Tensor input) => input.sqrt();

    public static Tensor rsqrt(Tensor input) => input.rsqrt();

    public static Tensor abs(Tensor input) => input.abs();

    public static Tensor neg(Tensor input) => input.neg();

    public static Tensor sign(Tensor input) => input.sign();

    public static Tensor floor(Tensor input) => input.floor();

    public static Tensor round(Tensor input) => input.round();

    public static Tensor erf(Tensor input) => input.erf();

    public static Tensor sin(Tensor input) => input.sin();

    public static Tensor cos(Tensor input) => input.cos();

    public static Tensor tanh(Tensor input) => input.tanh();

    public static Tensor sigmoid(Tensor input) => input.sigmoid();

    public static Tensor square(Tensor input) => input.square();

    public static Tensor maximum(Tensor input, Tensor other)
    {
        ShapeCheck.Broadcast(input, other, nameof(maximum));
        return NativeMethods.srt_maximum(input, other);
    }

    public static Tensor minimum(Tensor input, Tensor other)
    {
        ShapeCheck.Broadcast(input, other, nameof(minimum));
        return NativeMethods.srt_minimum(input, other);
    }
}
