namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Fills tensors in place, without recording a gradient; returns the tensor.</summary>
        public static class init
        {
            public static Tensor normal_(Tensor tensor, double mean = 0, double std = 1) => NoGrad(tensor, t => t.normal_(mean, std));

            public static Tensor uniform_(Tensor tensor, double low = 0, double high = 1) => NoGrad(tensor, t => t.uniform_(low, high));

            public static Tensor zeros_(Tensor tensor) => NoGrad(tensor, t => t.zero_());

            public static Tensor ones_(Tensor tensor) => NoGrad(tensor, t => t.fill_(1));

            public static Tensor constant_(Tensor tensor, Scalar val) => NoGrad(tensor, t => t.fill_(val));

            /// <summary>U(-a, a), a = gain sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010).</summary>
            public static Tensor xavier_uniform_(Tensor tensor, double gain = 1)
            {
                var (fanIn, fanOut) = Fans(tensor);
                var bound = gain * Math.Sqrt(6.0 / (fanIn + fanOut));
                return uniform_(tensor, -bound, bound);
            }

            /// <summary>N(0, s), s = gain sqrt(2 / (fan in + fan out)).</summary>
            public static Tensor xavier_normal_(Tensor tensor, double gain = 1)
            {
                var (fanIn, fanOut) = Fans(tensor);
                return normal_(tensor, 0, gain * Math.Sqrt(2.0 / (fanIn + fanOut)));
            }

            /// <summary>U(-b, b), b = sqrt(6 / ((1 + a^2) fan in)) (He et al. 2015, leaky rectifier of slope a).</summary>
            public static Tensor kaiming_uniform_(Tensor tensor, double a = 0)
            {
                var bound = Math.Sqrt(6.0 / ((1 + (a * a)) * Fans(tensor).FanIn));
                return uniform_(tensor, -bound, bound);
            }

            /// <summary>N(mean, std) restricted to [a, b], by the inverse of its distribution function.</summary>
            public static Tensor trunc_normal_(Tensor tensor, double mean = 0, double std = 1, double a = -2, double b = 2)
            {
                double low = NormalCdf((a - mean) / std), high = NormalCdf((b - mean) / std);
                return NoGrad(tensor, t =>
                {
                    t.uniform_((2 * low) - 1, (2 * high) - 1);
                    NativeMethods.srt_erfinv_(t);
                    t.mul_(std * Math.Sqrt(2)).add_(mean).clamp_(a, b);
                });
            }

            private static Tensor NoGrad(Tensor tensor, Action<Tensor> fill)
            {
                using (no_grad())
                    fill(tensor);
                return tensor;
            }

            private static (long FanIn, long FanOut) Fans(Tensor tensor)
            {
                var shape = tensor.shape;
                if (shape.Length < 2)
                    throw new ArgumentException($"fan in and fan out need two dimensions, the shape is [{string.Join(", ", shape)}]", nameof(tensor));
                var field = shape.Skip(2).Aggregate(1L, (x, y) => x * y);
                return (shape[1] * field, shape[0] * field);
            }

            /// <summary>Abramowitz and Stegun 7.1.26 is not precise enough at the tails: libtorch's own erf in float64.</summary>
            private static double NormalCdf(double x)
            {
                using var t = tensor(x / Math.Sqrt(2));
                using var erf = t.erf();
                return 0.5 * (1 + erf.item<double>());
            }
        }

        public static class utils
        {
            /// <summary>Scales all gradients so that their common norm is at most max_norm.</summary>
            /// <returns>The norm before.</returns>
            public static double clip_grad_norm_(IEnumerable<Modules.Parameter> parameters, double max_norm, double norm_type = 2)
            {
                var list = parameters.ToArray();
                NativeMethods.srt_clip_grad_norm(NativeMethods.Handles(list), list.Length, max_norm, norm_type, out var norm);
                GC.KeepAlive(list);
                return norm;
            }
        }
    }
}
