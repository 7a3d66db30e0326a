namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor mT => NativeMethods.srt_transpose(this, -2, -1);

        public Tensor reshape(params long[] shape) => NativeMethods.srt_reshape(this, shape, shape.Length);

        public Tensor view(params long[] shape) => NativeMethods.srt_view(this, shape, shape.Length);

        public Tensor transpose(long dim0, long dim1) => NativeMethods.srt_transpose(this, dim0, dim1);

        public Tensor permute(params long[] permutation) => NativeMethods.srt_permute(this, permutation, permutation.Length);

        public Tensor t() => NativeMethods.srt_t(this);

        public Tensor unsqueeze(long dim) => NativeMethods.srt_unsqueeze(this, dim);

        public Tensor squeeze(long? dim = null) => NativeMethods.srt_squeeze(this, dim is null ? 0 : 1, dim ?? 0);

        public Tensor flatten(long start_dim = 0, long end_dim = -1) => NativeMethods.srt_flatten(this, start_dim, end_dim);

        public Tensor contiguous() => NativeMethods.srt_contiguous(this);

        public Tensor expand(params long[] sizes) => NativeMethods.srt_expand(this, sizes, sizes.Length);

        public Tensor expand_as(Tensor other) => expand(other.shape);

        public Tensor repeat(params long[] sizes) => NativeMethods.srt_repeat(this, sizes, sizes.Length);

        public Tensor repeat_interleave(long repeats, long? dim = null)
            => NativeMethods.srt_repeat_interleave(this, repeats, null, dim is null ? 0 : 1, dim ?? 0);

        public Tensor repeat_interleave(Tensor repeats, long? dim = null)
            => NativeMethods.srt_repeat_interleave(this, 0, repeats, dim is null ? 0 : 1, dim ?? 0);

        public Tensor flip(params long[] dims) => NativeMethods.srt_flip(this, dims, dims.Length);

        public Tensor narrow(long dim, long start, long length) => NativeMethods.srt_narrow(this, dim, start, length);

        public Tensor tril(long diagonal = 0) => NativeMethods.srt_tril(this, diagonal);

        public Tensor triu(long diagonal = 0) => NativeMethods.srt_triu(this, diagonal);

        /// <summary>Pass all three: the defaults of the genuine 0.99 throw.</summary>
        public Tensor diagonal(long offset, long dim1, long dim2) => NativeMethods.srt_diagonal(this, offset, dim1, dim2);

        /// <summary>At most that many parts along a dimension, all but the last of the same size.</summary>
        public Tensor[] chunk(long chunks, long dim = 0)
        {
            if (chunks < 1)
                throw new ArgumentOutOfRangeException(nameof(chunks), $"chunk into {chunks} parts");
            var length = size((int)dim);
            return Split(Math.Max(1, (length + chunks - 1) / chunks), length, dim);
        }

        /// <summary>Equal parts of that length; the last may be shorter.</summary>
        public Tensor[] split(long split_size, int dim = 0)
            => split_size < 1 ? throw new ArgumentOutOfRangeException(nameof(split_size), $"split into parts of {split_size}") : Split(split_size, size(dim), dim);

        public Tensor[] split(long[] split_sizes, long dim = 0)
        {
            var length = size((int)dim);
            if (split_sizes.Sum() != length)
                throw new System.Runtime.InteropServices.ExternalException($"split: sizes [{string.Join(", ", split_sizes)}] do not add up to dimension {dim} of shape [{string.Join(", ", shape)}]");
            var parts = new Tensor[split_sizes.Length];
            long at = 0;
            for (var i = 0; i < parts.Length; at += split_sizes[i++])
                parts[i] = narrow(dim, at, split_sizes[i]);
            return parts;
        }

        public Tensor[] unbind(long dim = 0)
        {
            var parts = new Tensor[size((int)dim)];
            for (var i = 0; i < parts.Length; i++)
                parts[i] = NativeMethods.srt_select(this, dim, i);
            return parts;
        }

        private Tensor[] Split(long step, long length, long dim)
        {
            var parts = new Tensor[Math.Max(1, (length + step - 1) / step)];
            for (var i = 0; i < parts.Length; i++)
                parts[i] = narrow(dim, i * step, Math.Min(step, length - (i * step)));
            return parts;
        }
    }

    public static Tensor cat(IList<Tensor> tensors, long dim = 0)
    {
        ShapeCheck.Cat(tensors, dim);
        var result = NativeMethods.srt_cat(NativeMethods.Handles(tensors), tensors.Count, dim);
        GC.KeepAlive(tensors);
        return result;
    }

    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0)
    {
        var list = tensors as IList<Tensor> ?? tensors.ToList();
        var result = NativeMethods.srt_stack(NativeMethods.Handles(list), list.Count, dim);
        GC.KeepAlive(list);
        return result;
    }
}
