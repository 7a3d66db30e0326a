namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>How a loss over rows becomes the result; the values are libtorch's.</summary>
        public enum Reduction
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }

        public static class functional
        {
            public static Tensor softmax(Tensor input, long dim) => NativeMethods.srt_softmax(input, dim);

            public static Tensor log_softmax(Tensor input, long dim) => NativeMethods.srt_log_softmax(input, dim);

            public static Tensor relu(Tensor input) => NativeMethods.srt_relu(input);

            /// <summary>The exact form with erf.</summary>
            public static Tensor gelu(Tensor input) => NativeMethods.srt_gelu(input);

            public static Tensor leaky_relu(Tensor input, double negative_slope) => NativeMethods.srt_leaky_relu(input, negative_slope);

            public static Tensor elu(Tensor input, double alpha) => NativeMethods.srt_elu(input, alpha);

            public static Tensor softplus(Tensor input) => NativeMethods.srt_softplus(input);

            /// <summary>Drops by default: pass the module's training flag.</summary>
            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false)
            {
                if (!inplace)
                    return NativeMethods.srt_dropout(input, p, training ? 1 : 0);
                NativeMethods.srt_dropout_(input, p, training ? 1 : 0);
                return input;
            }

            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05)
                => NativeMethods.srt_layer_norm(input, normalized_shape, normalized_shape.Length, weight, bias, eps);

            public static Tensor linear(Tensor input, Tensor weight, Tensor? bias = null)
            {
                ShapeCheck.Linear(input, weight, bias);
                return NativeMethods.srt_linear(input, weight, bias);
            }

            public static Tensor one_hot(Tensor x, long num_classes) => NativeMethods.srt_one_hot(x, num_classes);

            public static Tensor cosine_similarity(Tensor x1, Tensor x2, long dim)
            {
                ShapeCheck.Broadcast(x1, x2, nameof(cosine_similarity));
                return NativeMethods.srt_cosine_similarity(x1, x2, dim);
            }

            /// <summary>Of logits [n, classes, ..] and Int64 targets [n, ..] (or class probabilities of the logits' shape).</summary>
            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0)
            {
                ShapeCheck.CrossEntropy(input, target);
                return NativeMethods.srt_cross_entropy(input, target, weight, ignore_index, (int)reduction, label_smoothing);
            }

            public static Tensor binary_cross_entropy_with_logits(Tensor input, Tensor target)
            {
                if (!input.shape.AsSpan().SequenceEqual(target.shape))
                    throw ShapeCheck.Mismatch(nameof(binary_cross_entropy_with_logits), input, target, "must be equal");
                return NativeMethods.srt_bce_with_logits(input, target);
            }
        }
    }
}
