namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor this[long i1]
        {
            get => NativeMethods.srt_select(this, 0, i1);
            set => Put(value, Singles(i1));
        }

        public Tensor this[long i1, long i2]
        {
            get => Get(Singles(i1, i2));
            set => Put(value, Singles(i1, i2));
        }

        public Tensor this[long i1, long i2, long i3]
        {
            get => Get(Singles(i1, i2, i3));
            set => Put(value, Singles(i1, i2, i3));
        }

        public Tensor this[long i1, long i2, long i3, long i4]
        {
            get => Get(Singles(i1, i2, i3, i4));
            set => Put(value, Singles(i1, i2, i3, i4));
        }

        public Tensor this[long i1, long i2, long i3, long i4, long i5]
        {
            get => Get(Singles(i1, i2, i3, i4, i5));
            set => Put(value, Singles(i1, i2, i3, i4, i5));
        }

        public Tensor this[long i1, long i2, long i3, long i4, long i5, long i6]
        {
            get => Get(Singles(i1, i2, i3, i4, i5, i6));
            set => Put(value, Singles(i1, i2, i3, i4, i5, i6));
        }

        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        /// <summary>A boolean mask or an index tensor.</summary>
        public Tensor this[Tensor index]
        {
            get => this.index(index);
            set => index_put_(value, index);
        }

        public Tensor index(params TensorIndex[] indices)
        {
            var result = Get(Array.ConvertAll(indices, i => i.Native));
            GC.KeepAlive(indices);
            return result;
        }

        public Tensor index(params Tensor[] indices) => index(Array.ConvertAll(indices, TensorIndex.Tensor));

        /// <summary>Writes without adding up: where an index occurs twice, one of the values stays. Use index_add_ to add.</summary>
        public Tensor index_put_(Tensor value, params TensorIndex[] indices)
        {
            Put(value, Array.ConvertAll(indices, i => i.Native));
            GC.KeepAlive(indices);
            return this;
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, Array.ConvertAll(indices, TensorIndex.Tensor));

        public Tensor index_select(long dim, Tensor index)
        {
            ShapeCheck.IndexSelect(this, index, nameof(index_select));
            return NativeMethods.srt_index_select(this, dim, index);
        }

        public Tensor gather(long dim, Tensor index)
        {
            ShapeCheck.Gather(this, dim, index, nameof(gather));
            return NativeMethods.srt_gather(this, dim, index);
        }

        public Tensor masked_select(Tensor mask)
        {
            ShapeCheck.Broadcast(this, mask, nameof(masked_select));
            return NativeMethods.srt_masked_select(this, mask);
        }

        public Tensor nonzero() => NativeMethods.srt_nonzero(this);

        public Tensor masked_fill(Tensor mask, Scalar value)
        {
            ShapeCheck.Broadcast(this, mask, nameof(masked_fill));
            return NativeMethods.srt_masked_fill(this, mask, value);
        }

        public Tensor masked_fill_(Tensor mask, Scalar value)
        {
            ShapeCheck.Broadcast(this, mask, nameof(masked_fill_));
            NativeMethods.srt_masked_fill_(this, mask, value);
            return this;
        }

        public Tensor scatter_(long dim, Tensor index, Tensor src)
        {
            ShapeCheck.Gather(this, dim, index, nameof(scatter_));
            NativeMethods.srt_scatter_(this, dim, index, src);
            return this;
        }

        public Tensor scatter_add(long dim, Tensor index, Tensor src)
        {
            ShapeCheck.Gather(this, dim, index, nameof(scatter_add));
            return NativeMethods.srt_scatter_add(this, dim, index, src);
        }

        public Tensor scatter_add_(long dim, Tensor index, Tensor src)
        {
            ShapeCheck.Gather(this, dim, index, nameof(scatter_add_));
            NativeMethods.srt_scatter_add_(this, dim, index, src);
            return this;
        }

        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha)
        {
            ShapeCheck.IndexTarget(this, dim, index, source, nameof(index_add));
            return NativeMethods.srt_index_add(this, dim, index, source, alpha);
        }

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha)
        {
            ShapeCheck.IndexTarget(this, dim, index, source, nameof(index_add_));
            NativeMethods.srt_index_add_(this, dim, index, source, alpha);
            return this;
        }

        public Tensor index_copy_(long dim, Tensor index, Tensor source)
        {
            ShapeCheck.IndexTarget(this, dim, index, source, nameof(index_copy_));
            NativeMethods.srt_index_copy_(this, dim, index, source);
            return this;
        }

        public Tensor bincount(Tensor? weights, long minlength = 0) => NativeMethods.srt_bincount(this, weights, minlength);

        private static NativeIndex[] Singles(params ReadOnlySpan<long> indices)
        {
            var result = new NativeIndex[indices.Length];
            for (var i = 0; i < result.Length; i++)
                result[i].Start = indices[i];
            return result;
        }

        private Tensor Get(NativeIndex[] indices) => NativeMethods.srt_index(this, indices, indices.Length);

        private void Put(Tensor value, NativeIndex[] indices) => NativeMethods.srt_index_put_(this, indices, indices.Length, value);
    }

    public static Tensor where(Tensor condition, Tensor x, Tensor y)
    {
        ShapeCheck.Broadcast(x, y, nameof(where));
        ShapeCheck.Broadcast(condition, x, nameof(where));
        return NativeMethods.srt_where(condition, x, y);
    }
}
