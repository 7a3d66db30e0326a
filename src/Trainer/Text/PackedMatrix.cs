using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StreamRec.Trainer.Text;

/// <summary>
/// The right-hand matrix of a product, kept in the order the product reads it: columns in panels of two vectors, a panel's rows one after another, the last
/// panel filled up with zeros. Inference multiplies by the same weights over and over, so this is done once where a BLAS does it at every call.
/// Products run on the caller's thread: callers with independent rows go in parallel, and nobody waits at the end of every layer.
/// </summary>
internal sealed class PackedMatrix
{
    /// <summary>Rows of the left-hand matrix taken at once: 6 × 2 sums, 2 weights and 1 factor are the 15 vectors 16 registers hold.</summary>
    public const int RowBlock = 6;

    /// <summary>Rows of a panel gone through before the next: 384 × 16 floats stay in the first-level cache.</summary>
    private const int InnerBlock = 384;
    private readonly float[] _panels;
    private readonly float[] _bias;

    public PackedMatrix(int maxInputs, int maxOutputs)
    {
        _panels = new float[maxInputs * Padded(maxOutputs)];
        _bias = new float[Padded(maxOutputs)];
    }

    public int Inputs { get; private set; }

    public int Outputs { get; private set; }

    public static int PanelWidth => 2 * Vector<float>.Count;

    /// <summary>Rows rounded up to whole blocks: as many must lie in the buffers of a product.</summary>
    public static int PaddedRows(int rows) => (rows + RowBlock - 1) / RowBlock * RowBlock;

    /// <summary>Of weights [out, in], as linear layers keep them.</summary>
    public static PackedMatrix OfWeights(ReadOnlySpan<float> weights, ReadOnlySpan<float> bias, int inputs, int outputs)
    {
        var packed = new PackedMatrix(inputs, outputs);
        packed.SetTransposed(weights, inputs, inputs, outputs);
        bias.CopyTo(packed._bias);
        return packed;
    }

    /// <summary>B[i, o] = source[o·stride + i].</summary>
    public void SetTransposed(ReadOnlySpan<float> source, int stride, int inputs, int outputs)
    {
        (Inputs, Outputs) = (inputs, outputs);
        var width = PanelWidth;
        for (var o = 0; o < Padded(outputs); o++)
        {
            var at = (o / width * inputs * width) + (o % width);
            if (o < outputs)
            {
                var row = source.Slice(o * stride, inputs);
                for (var i = 0; i < inputs; i++, at += width)
                    _panels[at] = row[i];
            }
            else
            {
                for (var i = 0; i < inputs; i++, at += width)
                    _panels[at] = 0;
            }
        }
    }

    /// <summary>B[i, o] = source[i·stride + o].</summary>
    public void Set(ReadOnlySpan<float> source, int stride, int inputs, int outputs)
    {
        (Inputs, Outputs) = (inputs, outputs);
        var width = PanelWidth;
        for (var from = 0; from < outputs; from += width)
        {
            var count = Math.Min(width, outputs - from);
            for (var i = 0; i < inputs; i++)
            {
                var target = _panels.AsSpan((from * inputs) + (i * width), width);
                source.Slice((i * stride) + from, count).CopyTo(target);
                target[count..].Clear();
            }
        }
    }

    /// <summary>
    /// y[r, :] = bias + x[r, :] B for r &lt; rows. Rows are xStride and yStride apart; both buffers hold <see cref="PaddedRows"/> of them, and what
    /// lies in the rows beyond <paramref name="rows"/> is read and overwritten.
    /// </summary>
    public void Multiply(int rows, ReadOnlySpan<float> x, int xStride, Span<float> y, int yStride)
    {
        var last = PaddedRows(rows) - 1;
        _ = x[(last * xStride) + Inputs - 1];
        _ = y[(last * yStride) + Outputs - 1];
        var width = PanelWidth;
        Span<float> edge = stackalloc float[RowBlock * width];
        for (var from = 0; from < Inputs; from += InnerBlock)
        {
            var inner = Math.Min(InnerBlock, Inputs - from);
            for (var column = 0; column < Outputs; column += width)
            {
                ref var panel = ref _panels[(column * Inputs) + (from * width)];
                var whole = column + width <= Outputs;
                for (var row = 0; row <= last; row += RowBlock)
                {
                    ref var left = ref Unsafe.Add(ref MemoryMarshal.GetReference(x), (row * xStride) + from);
                    if (whole)
                    {
                        Block(
                            inner, ref left, xStride, ref panel, ref _bias[column],
                            ref Unsafe.Add(ref MemoryMarshal.GetReference(y), (row * yStride) + column),
                            yStride, from == 0);
                    }
                    else
                        Edge(inner, ref left, xStride, ref panel, column, y[((row * yStride) + column)..], yStride, from == 0, edge);
                }
            }
        }
    }

    /// <summary>The last panel where it is not full: by way of a buffer, so that nothing beyond the columns is touched.</summary>
    private void Edge(int inner, ref float left, int xStride, ref float panel, int column, Span<float> y, int yStride, bool first, Span<float> buffer)
    {
        var (width, count) = (PanelWidth, Outputs - column);
        for (var r = 0; r < RowBlock && !first; r++)
            y.Slice(r * yStride, count).CopyTo(buffer[(r * width)..]);
        Block(inner, ref left, xStride, ref panel, ref _bias[column], ref MemoryMarshal.GetReference(buffer), width, first);
        for (var r = 0; r < RowBlock; r++)
            buffer.Slice(r * width, count).CopyTo(y[(r * yStride)..]);
    }

    /// <summary>6 rows × 2 vectors of y, held in registers over the whole inner loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block(int inner, ref float left, int xStride, ref float panel, ref float bias, ref float y, int yStride, bool first)
    {
        var w = Vector<float>.Count;
        ref var x0 = ref left;
        ref var x1 = ref Unsafe.Add(ref left, xStride);
        ref var x2 = ref Unsafe.Add(ref left, 2 * xStride);
        ref var x3 = ref Unsafe.Add(ref left, 3 * xStride);
        ref var x4 = ref Unsafe.Add(ref left, 4 * xStride);
        ref var x5 = ref Unsafe.Add(ref left, 5 * xStride);
        Vector<float> a0, a1, b0, b1, c0, c1, d0, d1, e0, e1, f0, f1;
        if (first)
        {
            a0 = b0 = c0 = d0 = e0 = f0 = Vector.LoadUnsafe(ref bias);
            a1 = b1 = c1 = d1 = e1 = f1 = Vector.LoadUnsafe(ref bias, (nuint)w);
        }
        else
        {
            (a0, a1) = (At(ref y, 0), At(ref y, w));
            (b0, b1) = (At(ref y, yStride), At(ref y, yStride + w));
            (c0, c1) = (At(ref y, 2 * yStride), At(ref y, (2 * yStride) + w));
            (d0, d1) = (At(ref y, 3 * yStride), At(ref y, (3 * yStride) + w));
            (e0, e1) = (At(ref y, 4 * yStride), At(ref y, (4 * yStride) + w));
            (f0, f1) = (At(ref y, 5 * yStride), At(ref y, (5 * yStride) + w));
        }

        for (nint k = 0; k < inner; k++)
        {
            var p = Vector.LoadUnsafe(ref panel);
            var q = Vector.LoadUnsafe(ref panel, (nuint)w);
            panel = ref Unsafe.Add(ref panel, 2 * w);
            var s = new Vector<float>(Unsafe.Add(ref x0, k));
            a0 = Vector.FusedMultiplyAdd(s, p, a0);
            a1 = Vector.FusedMultiplyAdd(s, q, a1);
            s = new Vector<float>(Unsafe.Add(ref x1, k));
            b0 = Vector.FusedMultiplyAdd(s, p, b0);
            b1 = Vector.FusedMultiplyAdd(s, q, b1);
            s = new Vector<float>(Unsafe.Add(ref x2, k));
            c0 = Vector.FusedMultiplyAdd(s, p, c0);
            c1 = Vector.FusedMultiplyAdd(s, q, c1);
            s = new Vector<float>(Unsafe.Add(ref x3, k));
            d0 = Vector.FusedMultiplyAdd(s, p, d0);
            d1 = Vector.FusedMultiplyAdd(s, q, d1);
            s = new Vector<float>(Unsafe.Add(ref x4, k));
            e0 = Vector.FusedMultiplyAdd(s, p, e0);
            e1 = Vector.FusedMultiplyAdd(s, q, e1);
            s = new Vector<float>(Unsafe.Add(ref x5, k));
            f0 = Vector.FusedMultiplyAdd(s, p, f0);
            f1 = Vector.FusedMultiplyAdd(s, q, f1);
        }

        Put(a0, a1, ref y, 0, w);
        Put(b0, b1, ref y, yStride, w);
        Put(c0, c1, ref y, 2 * yStride, w);
        Put(d0, d1, ref y, 3 * yStride, w);
        Put(e0, e1, ref y, 4 * yStride, w);
        Put(f0, f1, ref y, 5 * yStride, w);
    }

    private static int Padded(int outputs) => (outputs + PanelWidth - 1) / PanelWidth * PanelWidth;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> At(ref float start, int index) => Vector.LoadUnsafe(ref start, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector<float> low, Vector<float> high, ref float start, int index, int width)
    {
        Vector.StoreUnsafe(low, ref start, (nuint)index);
        Vector.StoreUnsafe(high, ref start, (nuint)(index + width));
    }
}
