namespace TorchSharp;

public static partial class torch
{
    /// <summary>Operations in place. Ignore the result: the genuine 0.99 returns another handle, 0.107 this object.</summary>
    public partial class Tensor
    {
        public Tensor add_(Tensor other) => add_(other, Scalar.One);

        public Tensor add_(Tensor other, Scalar alpha)
        {
            ShapeCheck.Broadcast(this, other, nameof(add_));
            NativeMethods.srt_add_(this, other, alpha);
            return this;
        }

        public Tensor add_(Scalar other)
        {
            NativeMethods.srt_add_scalar_(this, other, Scalar.One);
            return this;
        }

        public Tensor sub_(Tensor other) => sub_(other, Scalar.One);

        public Tensor sub_(Tensor other, Scalar alpha)
        {
            ShapeCheck.Broadcast(this, other, nameof(sub_));
            NativeMethods.srt_sub_(this, other, alpha);
            return this;
        }

        public Tensor sub_(Scalar other)
        {
            NativeMethods.srt_sub_scalar_(this, other, Scalar.One);
            return this;
        }

        public Tensor mul_(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(mul_));
            NativeMethods.srt_mul_(this, other);
            return this;
        }

        public Tensor mul_(Scalar other)
        {
            NativeMethods.srt_mul_scalar_(this, other);
            return this;
        }

        public Tensor div_(Tensor other)
        {
            ShapeCheck.Broadcast(this, other, nameof(div_));
            NativeMethods.srt_div_(this, other);
            return this;
        }

        public Tensor div_(Scalar other)
        {
            NativeMethods.srt_div_scalar_(this, other);
            return this;
        }

        public Tensor clamp_(Scalar? min = null, Scalar? max = null)
        {
            NativeMethods.srt_clamp_(this, min, max);
            return this;
        }

        public Tensor fill_(Scalar value)
        {
            NativeMethods.srt_fill_(this, value);
            return this;
        }

        public Tensor zero_()
        {
            NativeMethods.srt_zero_(this);
            return this;
        }

        public Tensor copy_(Tensor source)
        {
            ShapeCheck.Broadcast(this, source, nameof(copy_));
            NativeMethods.srt_copy_(this, source);
            return this;
        }

        public Tensor normal_(double mean = 0, double stddev = 1, Generator? generator = null)
        {
            NativeMethods.srt_normal_(this, mean, stddev, generator?.Handle ?? 0);
            return this;
        }

        public Tensor uniform_(double from = 0, double to = 1, Generator? generator = null)
        {
            NativeMethods.srt_uniform_(this, from, to, generator?.Handle ?? 0);
            return this;
        }

        public Tensor bernoulli_(double p = 0.5, Generator? generator = null)
        {
            NativeMethods.srt_bernoulli_(this, p, generator?.Handle ?? 0);
            return this;
        }
    }
}
