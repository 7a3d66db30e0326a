using System.Collections;

namespace TorchSharp.Utils;

/// <summary>Typed access to a CPU tensor's elements in row-major order: direct for contiguous tensors, through the strides for others.</summary>
public sealed unsafe class TensorAccessor<T> : IEnumerable<T>
    where T : unmanaged
{
    private readonly torch.Tensor _tensor;
    private readonly long[] _shape;
    private readonly long[] _stride;
    private readonly bool _contiguous;

    internal TensorAccessor(torch.Tensor tensor)
    {
        _tensor = tensor;
        _shape = tensor.shape;
        _stride = new long[_shape.Length];
        NativeMethods.srt_stride(tensor, _stride, _stride.Length);
        _contiguous = tensor.is_contiguous();
        Count = tensor.numel();
    }

    public long Count { get; }

    private T* Data => (T*)NativeMethods.srt_data(_tensor);

    public T this[params long[] indices]
    {
        get
        {
            var value = Data[Offset(indices)];
            GC.KeepAlive(_tensor);
            return value;
        }

        set
        {
            Data[Offset(indices)] = value;
            GC.KeepAlive(_tensor);
        }
    }

    public T[] ToArray()
    {
        var result = new T[Count];
        CopyTo(result);
        return result;
    }

    /// <exception cref="ArgumentException">The array is too short.</exception>
    public void CopyTo(T[] array)
    {
        if (array.LongLength < Count)
            throw new ArgumentException($"an array of {array.LongLength} for a tensor of {Count} elements", nameof(array));
        var data = Data;
        if (_contiguous)
        {
            new ReadOnlySpan<T>(data, checked((int)Count)).CopyTo(array);
        }
        else
        {
            for (long i = 0; i < Count; i++)
                array[i] = data[Linear(i)];
        }

        GC.KeepAlive(_tensor);
    }

    /// <exception cref="ArgumentException">The array's length is not the tensor's.</exception>
    public void CopyFrom(T[] array)
    {
        if (array.LongLength != Count)
            throw new ArgumentException($"an array of {array.LongLength} for a tensor of {Count} elements", nameof(array));
        var data = Data;
        if (_contiguous)
        {
            array.CopyTo(new Span<T>(data, array.Length));
        }
        else
        {
            for (long i = 0; i < Count; i++)
                data[Linear(i)] = array[i];
        }

        GC.KeepAlive(_tensor);
    }

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)ToArray()).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private long Offset(long[] indices)
    {
        if (indices.Length == 1 && _shape.Length != 1)
            return Linear(indices[0]);
        if (indices.Length != _shape.Length)
            throw new ArgumentException($"{indices.Length} indices for shape [{string.Join(", ", _shape)}]");
        long offset = 0;
        for (var d = 0; d < indices.Length; d++)
        {
            if (indices[d] < 0 || indices[d] >= _shape[d])
                throw new ArgumentOutOfRangeException(nameof(indices), $"index [{string.Join(", ", indices)}] of shape [{string.Join(", ", _shape)}]");
            offset += indices[d] * _stride[d];
        }

        return offset;
    }

    private long Linear(long index)
    {
        if (index < 0 || index >= Count)
            throw new ArgumentOutOfRangeException(nameof(index), $"element {index} of {Count}");
        if (_contiguous)
            return index;
        long offset = 0;
        for (var d = _shape.Length - 1; d >= 0; d--)
        {
            offset += index % _shape[d] * _stride[d];
            index /= _shape[d];
        }

        return offset;
    }
}
