using System.Runtime.InteropServices.Marshalling;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>
    /// A handle of a native tensor. Freed by Dispose, by its <see cref="DisposeScope"/>, or at last by the finalizer. Not thread-safe to
    /// write; a shape or type error is a <see cref="System.Runtime.InteropServices.ExternalException"/>.
    /// </summary>
    [NativeMarshalling(typeof(TensorMarshaller))]
    public partial class Tensor : IDisposable
    {
        private nint _handle;

        internal Tensor(nint handle)
        {
            _handle = handle;
            Scope = DisposeScope.Own(this);
        }

        ~Tensor() => Free();

        internal nint Handle => _handle == 0 ? throw new InvalidOperationException("this tensor was disposed or moved into a Parameter") : _handle;

        /// <summary>The scope that will dispose this tensor.</summary>
        internal DisposeScope? Scope { get; set; }

        public bool IsInvalid => _handle == 0;

        public ScalarType dtype => (ScalarType)NativeMethods.srt_dtype(this);

        public DeviceType device_type => (DeviceType)NativeMethods.srt_device_type(this);

        public Device device => new(device_type, NativeMethods.srt_device_index(this));

        public bool is_cuda => device_type == DeviceType.CUDA;

        public long ndim => NativeMethods.srt_ndim(this);

        public long[] shape
        {
            get
            {
                var shape = new long[ndim];
                NativeMethods.srt_shape(this, shape, shape.Length);
                return shape;
            }
        }

        public bool requires_grad
        {
            get => NativeMethods.srt_requires_grad(this) != 0;
            set => NativeMethods.srt_set_requires_grad(this, value ? 1 : 0);
        }

        public bool is_leaf => NativeMethods.srt_is_leaf(this) != 0;

        /// <summary>A method in TorchSharp 0.99 and a property in 0.107: code for both reads it by reflection, so this cannot be called by name.</summary>
        [Obsolete("TorchSharp 0.99 has grad() and 0.107 has grad: use TorchCompat.Gradient, which works with both", error: true)]
        public Tensor? grad => Gradient();

        public long[] size() => shape;

        /// <exception cref="ArgumentOutOfRangeException">The tensor has no such dimension.</exception>
        public long size(int dim)
        {
            Span<long> shape = stackalloc long[16];
            var n = NativeMethods.srt_shape(this, shape, shape.Length);
            var i = dim < 0 ? dim + n : dim;
            return i >= 0 && i < n ? shape[(int)i] : throw new ArgumentOutOfRangeException(nameof(dim), $"dimension {dim} of a tensor of shape [{string.Join(", ", this.shape)}]");
        }

        public long dim() => ndim;

        public long numel() => NativeMethods.srt_numel(this);

        public bool is_contiguous() => NativeMethods.srt_is_contiguous(this) != 0;

        public Tensor MoveToOuterDisposeScope()
        {
            Scope?.MoveToOuter(this);
            return this;
        }

        public Tensor DetachFromDisposeScope()
        {
            Scope?.Detach(this);
            return this;
        }

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        public override bool Equals(object? obj) => ReferenceEquals(this, obj);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        public override string ToString() => IsInvalid ? "disposed tensor" : $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";

        protected virtual void Dispose(bool disposing)
        {
            if (disposing)
            {
                Scope?.Forget(this);
                Scope = null;
            }

            Free();
        }

        internal Tensor? Gradient()
        {
            NativeMethods.srt_grad(this, out var gradient);
            return gradient == 0 ? null : new Tensor(gradient);
        }

        /// <summary>Takes the native tensor out of this object, which is invalid from then on.</summary>
        internal nint Release()
        {
            var handle = Handle;
            _handle = 0;
            Scope?.Forget(this);
            Scope = null;
            GC.SuppressFinalize(this);
            return handle;
        }

        private void Free()
        {
            var handle = Interlocked.Exchange(ref _handle, 0);
            if (handle != 0)
                NativeMethods.srt_dispose(handle);
        }
    }
}
