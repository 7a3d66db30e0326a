using System.Runtime.InteropServices;
using Tensor = TorchSharp.torch.Tensor;

namespace TorchSharp;

/// <summary>
/// Shape rules checked before the native call, so that the exception names the operation and both shapes. (The genuine package ends the
/// process for some of these.) Same exception type as a native error. Cost: two shape reads, no allocation.
/// </summary>
internal static class ShapeCheck
{
    private const int MaxDims = 16;

    public static void Broadcast(Tensor a, Tensor b, string operation)
    {
        Span<long> sa = stackalloc long[MaxDims], sb = stackalloc long[MaxDims];
        Shape(a, ref sa);
        Shape(b, ref sb);
        if (!CanBroadcast(sa, sb))
            throw Mismatch(operation, a, b, "cannot be broadcast together");
    }

    public static void Mm(Tensor a, Tensor b)
    {
        Span<long> sa = stackalloc long[MaxDims], sb = stackalloc long[MaxDims];
        Shape(a, ref sa);
        Shape(b, ref sb);
        if (sa.Length != 2 || sb.Length != 2 || sa[1] != sb[0])
            throw Mismatch("mm", a, b, "must be [n, k] and [k, m]");
    }

    public static void Bmm(Tensor a, Tensor b)
    {
        Span<long> sa = stackalloc long[MaxDims], sb = stackalloc long[MaxDims];
        Shape(a, ref sa);
        Shape(b, ref sb);
        if (sa.Length != 3 || sb.Length != 3 || sa[0] != sb[0] || sa[2] != sb[1])
            throw Mismatch("bmm", a, b, "must be [b, n, k] and [b, k, m]");
    }

    public static void Dot(Tensor a, Tensor b)
    {
        if (a.ndim != 1 || b.ndim != 1 || a.numel() != b.numel())
            throw Mismatch("dot", a, b, "must be vectors of the same length");
    }

    public static void Outer(Tensor a, Tensor b)
    {
        if (a.ndim != 1 || b.ndim != 1)
            throw Mismatch("outer", a, b, "must be vectors");
    }

    public static void MatMul(Tensor a, Tensor b)
    {
        Span<long> sa = stackalloc long[MaxDims], sb = stackalloc long[MaxDims];
        Shape(a, ref sa);
        Shape(b, ref sb);
        if (sa.Length == 0 || sb.Length == 0)
            throw Mismatch("matmul", a, b, "must have at least one dimension each");
        if (sa[^1] != (sb.Length == 1 ? sb[0] : sb[^2]))
            throw Mismatch("matmul", a, b, "differ in the inner dimension");
        if (sa.Length > 2 && sb.Length > 2 && !CanBroadcast(sa[..^2], sb[..^2]))
            throw Mismatch("matmul", a, b, "have batch dimensions that cannot be broadcast together");
    }

    public static void Linear(Tensor input, Tensor weight, Tensor? bias)
    {
        Span<long> si = stackalloc long[MaxDims], sw = stackalloc long[MaxDims];
        Shape(input, ref si);
        Shape(weight, ref sw);
        if (sw.Length != 2 || si.Length == 0 || si[^1] != sw[1])
            throw Mismatch("linear", input, weight, "must be [.., in] and [out, in]");
        if (bias is not null && (bias.ndim != 1 || bias.numel() != sw[0]))
            throw Mismatch("linear", weight, bias, "must be a weight [out, in] and a bias [out]");
    }

    public static void CrossEntropy(Tensor input, Tensor target)
    {
        Span<long> si = stackalloc long[MaxDims], st = stackalloc long[MaxDims];
        Shape(input, ref si);
        Shape(target, ref st);
        if (si.SequenceEqual(st))
            return; // Class probabilities.
        var classes = si.Length == 1 ? 0 : 1;
        var fits = si.Length > 0 && st.Length == si.Length - 1;
        for (int i = 0, j = 0; fits && i < si.Length; i++)
        {
            if (i != classes)
                fits = si[i] == st[j++];
        }

        if (!fits)
            throw Mismatch("cross_entropy", input, target, "must be [n, classes, ..] and [n, ..]");
    }

    public static void Gather(Tensor input, long dim, Tensor index, string operation)
    {
        Span<long> si = stackalloc long[MaxDims], sx = stackalloc long[MaxDims];
        Shape(input, ref si);
        Shape(index, ref sx);
        var fits = si.Length == sx.Length || (si.Length <= 1 && sx.Length <= 1);
        var along = dim < 0 ? dim + si.Length : dim;
        for (var i = 0; fits && i < si.Length && i < sx.Length; i++)
            fits = i == along || sx[i] <= si[i];
        if (!fits)
            throw Mismatch(operation, input, index, $"must have the same number of dimensions, the index no larger except along dimension {dim}");
    }

    public static void IndexSelect(Tensor input, Tensor index, string operation)
    {
        if (index.ndim > 1)
            throw Mismatch(operation, input, index, "need an index of one dimension");
    }

    /// <summary>index_add and index_copy: source is the input with dimension dim replaced by the length of the index.</summary>
    public static void IndexTarget(Tensor input, long dim, Tensor index, Tensor source, string operation)
    {
        IndexSelect(input, index, operation);
        Span<long> si = stackalloc long[MaxDims], ss = stackalloc long[MaxDims];
        Shape(input, ref si);
        Shape(source, ref ss);
        var along = dim < 0 ? dim + si.Length : dim;
        var fits = si.Length == ss.Length;
        for (var i = 0; fits && i < si.Length; i++)
            fits = i == along ? ss[i] == index.numel() : ss[i] == si[i];
        if (!fits && si.Length > 0 && ss.Length > 0)
            throw Mismatch(operation, input, source, $"must agree except along dimension {dim}, where the source has the index's length {index.numel()}");
    }

    public static void Cat(IList<Tensor> tensors, long dim)
    {
        var first = tensors.FirstOrDefault(t => t.ndim != 1 || t.numel() > 0); // libtorch skips empty vectors.
        if (first is null)
            return;
        var shape = first.shape;
        var along = dim < 0 ? dim + shape.Length : dim;
        Span<long> buffer = stackalloc long[MaxDims];
        foreach (var tensor in tensors)
        {
            var other = buffer;
            Shape(tensor, ref other);
            if (other.Length == 1 && other[0] == 0)
                continue;
            var fits = other.Length == shape.Length;
            for (var i = 0; fits && i < shape.Length; i++)
                fits = i == along || other[i] == shape[i];
            if (!fits)
                throw Mismatch("cat", first, tensor, $"must agree except along dimension {dim}");
        }
    }

    public static ExternalException Mismatch(string operation, Tensor a, Tensor b, string rule)
        => new($"{operation}: shapes [{string.Join(", ", a.shape)}] and [{string.Join(", ", b.shape)}] {rule}");

    private static void Shape(Tensor tensor, ref Span<long> shape)
    {
        var n = NativeMethods.srt_shape(tensor, shape, MaxDims);
        shape = shape[..(int)Math.Min(n, MaxDims)];
    }

    private static bool CanBroadcast(ReadOnlySpan<long> a, ReadOnlySpan<long> b)
    {
        for (var i = 1; i <= Math.Min(a.Length, b.Length); i++)
        {
            if (a[^i] != b[^i] && a[^i] != 1 && b[^i] != 1)
                return false;
        }

        return true;
    }
}
