namespace TorchSharp;

public static partial class torch
{
    /// <summary>One dimension's part of an index expression.</summary>
    public readonly struct TensorIndex
    {
        private readonly NativeIndex _native;
        private readonly Tensor? _tensor;

        private TensorIndex(NativeIndex native, Tensor? tensor = null) => (_native, _tensor) = (native, tensor);

        public static TensorIndex Colon => Slice();

        public static TensorIndex Ellipsis => new(new NativeIndex { Kind = 2 });

        public static TensorIndex None => new(new NativeIndex { Kind = 3 });

        internal NativeIndex Native => _tensor is null ? _native : new NativeIndex { Kind = 4, Tensor = _tensor.Handle };

        public static implicit operator TensorIndex(Range range) => Slice(
            range.Start.IsFromEnd ? -range.Start.Value : range.Start.Value,
            range.End.IsFromEnd ? (range.End.Value == 0 ? null : -range.End.Value) : range.End.Value);

        public static TensorIndex Single(long index) => new(new NativeIndex { Kind = 0, Start = index });

        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) => new(new NativeIndex
        {
            Kind = 1,
            Start = start ?? 0,
            Stop = stop ?? 0,
            Step = step ?? 0,
            Given = (start is null ? 0 : 1) | (stop is null ? 0 : 2) | (step is null ? 0 : 4),
        });

        public static TensorIndex Tensor(Tensor tensor) => new(default, tensor);
    }
}
