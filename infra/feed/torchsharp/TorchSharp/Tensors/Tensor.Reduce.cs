namespace TorchSharp;

public static partial class torch
{
    /// <summary>Reductions, orderings and products.</summary>
    public partial class Tensor
    {
        public Tensor any() => NativeMethods.srt_any(this);

        public Tensor all() => NativeMethods.srt_all(this);

        public Tensor sum() => NativeMethods.srt_sum(this);

        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => sum([dim], keepdim, type);

        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null)
            => NativeMethods.srt_sum_dims(this, dim, dim.Length, keepdim ? 1 : 0, type is { } t ? (int)t : -1);

        public Tensor mean() => NativeMethods.srt_mean(this);

        public Tensor mean(long[] dimensions, bool keepdim = false) => NativeMethods.srt_mean_dims(this, dimensions, dimensions.Length, keepdim ? 1 : 0);

        public Tensor max() => NativeMethods.srt_max(this);

        public Tensor min() => NativeMethods.srt_min(this);

        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false)
        {
            NativeMethods.srt_max_dim(this, dim, keepdim ? 1 : 0, out var values, out var indexes);
            return (new Tensor(values), new Tensor(indexes));
        }

        public Tensor amax(long[] dims, bool keepdim = false) => NativeMethods.srt_amax(this, dims, dims.Length, keepdim ? 1 : 0);

        public Tensor argmax(long dim) => NativeMethods.srt_argmax(this, dim);

        public (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true)
        {
            NativeMethods.srt_topk(this, k, dim, largest ? 1 : 0, sorted ? 1 : 0, out var values, out var indexes);
            return (new Tensor(values), new Tensor(indexes));
        }

        public (Tensor, Tensor) sort(long dim = -1, bool descending = false, bool stable = false)
        {
            NativeMethods.srt_sort(this, dim, descending ? 1 : 0, stable ? 1 : 0, out var values, out var indexes);
            return (new Tensor(values), new Tensor(indexes));
        }

        public Tensor argsort(long dim = -1, bool descending = false) => NativeMethods.srt_argsort(this, dim, descending ? 1 : 0);

        /// <summary>The distinct elements; inverse and counts are null unless asked for.</summary>
        public (Tensor output, Tensor? inverse_indices, Tensor? counts) unique(bool sorted = true, bool return_inverse = false, bool return_counts = false)
        {
            NativeMethods.srt_unique(this, sorted ? 1 : 0, return_inverse ? 1 : 0, return_counts ? 1 : 0, out var output, out var inverse, out var counts);
            return (new Tensor(output), inverse == 0 ? null : new Tensor(inverse), counts == 0 ? null : new Tensor(counts));
        }

        public Tensor norm(int dim, bool keepdim, float p) => NativeMethods.srt_norm(this, dim, keepdim ? 1 : 0, p);

        public Tensor cumsum(long dim) => NativeMethods.srt_cumsum(this, dim);

        public Tensor logsumexp(long dim, bool keepdim = false) => NativeMethods.srt_logsumexp(this, dim, keepdim ? 1 : 0);

        public Tensor std(long dim, bool unbiased, bool keepdim) => NativeMethods.srt_std(this, dim, unbiased ? 1 : 0, keepdim ? 1 : 0);

        public Tensor var(long dim, bool unbiased, bool keepdim) => NativeMethods.srt_var(this, dim, unbiased ? 1 : 0, keepdim ? 1 : 0);

        public bool allclose(Tensor target, double rtol = 1e-05, double atol = 1e-08)
        {
            ShapeCheck.Broadcast(this, target, nameof(allclose));
            NativeMethods.srt_allclose(this, target, rtol, atol, out var close);
            return close != 0;
        }

        public Tensor mm(Tensor mat2)
        {
            ShapeCheck.Mm(this, mat2);
            return NativeMethods.srt_mm(this, mat2);
        }

        public Tensor bmm(Tensor batch2)
        {
            ShapeCheck.Bmm(this, batch2);
            return NativeMethods.srt_bmm(this, batch2);
        }

        public Tensor matmul(Tensor target)
        {
            ShapeCheck.MatMul(this, target);
            return NativeMethods.srt_matmul(this, target);
        }

        public Tensor dot(Tensor other)
        {
            ShapeCheck.Dot(this, other);
            return NativeMethods.srt_dot(this, other);
        }

        public Tensor softmax(long dim) => NativeMethods.srt_softmax(this, dim);

        public Tensor log_softmax(long dim) => NativeMethods.srt_log_softmax(this, dim);
    }

    public static Tensor matmul(Tensor input, Tensor target) => input.matmul(target);

    public static Tensor bmm(Tensor input, Tensor batch2) => input.bmm(batch2);

    public static Tensor outer(Tensor input, Tensor vec2)
    {
        ShapeCheck.Outer(input, vec2);
        return NativeMethods.srt_outer(input, vec2);
    }

    public static Tensor einsum(string equation, params Tensor[] tensors)
    {
        try
        {
            var result = NativeMethods.srt_einsum(equation, NativeMethods.Handles(tensors), tensors.Length);
            GC.KeepAlive(tensors);
            return result;
        }
        catch (System.Runtime.InteropServices.ExternalException e)
        {
            var shapes = string.Join(" and ", tensors.Select(t => $"[{string.Join(", ", t.shape)}]"));
            throw new System.Runtime.InteropServices.ExternalException($"einsum '{equation}' of shapes {shapes}: {e.Message}", e);
        }
    }
}
