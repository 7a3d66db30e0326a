using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StreamRec.Model;

/// <summary>The few dense kernels scoring needs. Single-threaded, no allocation; results do not depend on anything but the input.</summary>
internal static class Kernels
{
    /// <summary>[out, in] to [in, out], so that a product walks the weights in rows.</summary>
    public static float[] Transpose(ReadOnlySpan<float> weight, int outputs, int inputs)
    {
        var result = new float[weight.Length];
        for (var o = 0; o < outputs; o++)
        {
            for (var i = 0; i < inputs; i++)
                result[(i * outputs) + o] = weight[(o * inputs) + i];
        }

        return result;
    }

    /// <summary>
    /// y[r, :] = bias + x[r, :] · w for r &lt; rows, or += when accumulating (a residual). w is [inputs, outputs]; of each row of x, xStride apart,
    /// the first inputs are read, of each row of y, yStride apart, the first outputs are written.
    /// </summary>
    public static void Linear(
        int rows, int inputs, int outputs, ReadOnlySpan<float> x, int xStride, ReadOnlySpan<float> w, ReadOnlySpan<float> bias,
        Span<float> y, int yStride, bool accumulate)
    {
        for (var r = 0; r < rows; r++)
        {
            var target = y.Slice(r * yStride, outputs);
            if (accumulate)
                TensorPrimitives.Add(target, bias[..outputs], target);
            else
                bias[..outputs].CopyTo(target);
        }

        var row = 0;
        for (; row + 4 <= rows; row += 4)
            Rows4(inputs, outputs, x[(row * xStride)..], xStride, w, y[(row * yStride)..], yStride);
        for (; row < rows; row++)
            Row1(inputs, outputs, x.Slice(row * xStride, inputs), w, y.Slice(row * yStride, outputs));
    }

    /// <summary>Four rows at once: each loaded weight vector serves four products; two vectors of outputs keep eight sums in registers.</summary>
    private static void Rows4(int inputs, int outputs, ReadOnlySpan<float> x, int xStride, ReadOnlySpan<float> w, Span<float> y, int yStride)
    {
        var width = Vector<float>.Count;
        ref var x0 = ref MemoryMarshal.GetReference(x);
        ref var w0 = ref MemoryMarshal.GetReference(w);
        ref var y0 = ref MemoryMarshal.GetReference(y);
        _ = x[(3 * xStride) + inputs - 1];
        _ = y[(3 * yStride) + outputs - 1];
        _ = w[(inputs * outputs) - 1];
        var o = 0;
        for (; o + (2 * width) <= outputs; o += 2 * width)
        {
            Vector<float> a0 = Load(ref y0, o), a1 = Load(ref y0, o + width);
            Vector<float> b0 = Load(ref y0, o + yStride), b1 = Load(ref y0, o + yStride + width);
            Vector<float> c0 = Load(ref y0, o + (2 * yStride)), c1 = Load(ref y0, o + (2 * yStride) + width);
            Vector<float> d0 = Load(ref y0, o + (3 * yStride)), d1 = Load(ref y0, o + (3 * yStride) + width);
            for (var i = 0; i < inputs; i++)
            {
                var w1 = Load(ref w0, (i * outputs) + o);
                var w2 = Load(ref w0, (i * outputs) + o + width);
                var s = new Vector<float>(Unsafe.Add(ref x0, i));
                a0 = Vector.FusedMultiplyAdd(s, w1, a0);
                a1 = Vector.FusedMultiplyAdd(s, w2, a1);
                s = new Vector<float>(Unsafe.Add(ref x0, i + xStride));
                b0 = Vector.FusedMultiplyAdd(s, w1, b0);
                b1 = Vector.FusedMultiplyAdd(s, w2, b1);
                s = new Vector<float>(Unsafe.Add(ref x0, i + (2 * xStride)));
                c0 = Vector.FusedMultiplyAdd(s, w1, c0);
                c1 = Vector.FusedMultiplyAdd(s, w2, c1);
                s = new Vector<float>(Unsafe.Add(ref x0, i + (3 * xStride)));
                d0 = Vector.FusedMultiplyAdd(s, w1, d0);
                d1 = Vector.FusedMultiplyAdd(s, w2, d1);
            }

            Store(a0, ref y0, o);
            Store(a1, ref y0, o + width);
            Store(b0, ref y0, o + yStride);
            Store(b1, ref y0, o + yStride + width);
            Store(c0, ref y0, o + (2 * yStride));
            Store(c1, ref y0, o + (2 * yStride) + width);
            Store(d0, ref y0, o + (3 * yStride));
            Store(d1, ref y0, o + (3 * yStride) + width);
        }

        if (o == outputs)
            return;
        for (var r = 0; r < 4; r++)
            Tail(inputs, outputs, o, x.Slice(r * xStride, inputs), w, y.Slice(r * yStride, outputs));
    }

    private static void Row1(int inputs, int outputs, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y)
    {
        for (var i = 0; i < inputs; i++)
            TensorPrimitives.FusedMultiplyAdd(w.Slice(i * outputs, outputs), x[i], y, y);
    }

    private static void Tail(int inputs, int outputs, int from, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y)
    {
        for (var i = 0; i < inputs; i++)
            TensorPrimitives.FusedMultiplyAdd(w[((i * outputs) + from)..((i + 1) * outputs)], x[i], y[from..], y[from..]);
    }

    /// <summary>y = (x − mean) / sqrt(var + 1e-5) · weight + bias over one row; biased variance, as in PyTorch.</summary>
    public static void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> y)
    {
        var mean = TensorPrimitives.Sum(x) / x.Length;
        TensorPrimitives.Subtract(x, mean, y);
        var scale = 1f / MathF.Sqrt((TensorPrimitives.SumOfSquares(y) / x.Length) + 1e-5f);
        TensorPrimitives.Multiply(y, scale, y);
        TensorPrimitives.MultiplyAdd(y, weight, bias, y);
    }

    /// <summary>
    /// x · Φ(x) in place, with erf by Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7, the size of a float's rounding).
    /// </summary>
    public static void Gelu(Span<float> x)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(x);
        for (var i = 0; i < vectors.Length; i++)
            vectors[i] = Gelu(vectors[i]);
        for (var i = vectors.Length * Vector<float>.Count; i < x.Length; i++)
            x[i] = Gelu(new Vector<float>(x[i]))[0];
    }

    /// <summary>act = gelu(x) and x ← gelu'(x) = Φ(x) + x·φ(x), sharing the one exponential both need.</summary>
    public static void GeluWithGradient(Span<float> x, Span<float> act)
    {
        var xs = MemoryMarshal.Cast<float, Vector<float>>(x);
        var acts = MemoryMarshal.Cast<float, Vector<float>>(act);
        for (var i = 0; i < xs.Length; i++)
            (acts[i], xs[i]) = GeluAndGradient(xs[i]);
        for (var i = xs.Length * Vector<float>.Count; i < x.Length; i++)
        {
            var (value, gradient) = GeluAndGradient(new Vector<float>(x[i]));
            (act[i], x[i]) = (value[0], gradient[0]);
        }
    }

    /// <summary>g[i, :] += Σ over rows r of x[r, i] · d[r, :]: the weight gradient of <see cref="Linear"/>. x is [rows, inputs], d [rows, outputs].</summary>
    public static void AddOuterProducts(int rows, int inputs, int outputs, ReadOnlySpan<float> x, ReadOnlySpan<float> d, Span<float> g)
    {
        var width = Vector<float>.Count;
        for (var i = 0; i < inputs; i++)
        {
            var o = 0;
            for (; o + (2 * width) <= outputs; o += 2 * width)
            {
                Vector<float> a = default, b = default;
                for (var r = 0; r < rows; r++)
                {
                    var scale = new Vector<float>(x[(r * inputs) + i]);
                    a = Vector.FusedMultiplyAdd(scale, new Vector<float>(d[((r * outputs) + o)..]), a);
                    b = Vector.FusedMultiplyAdd(scale, new Vector<float>(d[((r * outputs) + o + width)..]), b);
                }

                var target = g[((i * outputs) + o)..];
                (new Vector<float>(target) + a).CopyTo(target);
                (new Vector<float>(target[width..]) + b).CopyTo(target[width..]);
            }

            for (; o < outputs; o++)
            {
                for (var r = 0; r < rows; r++)
                    g[(i * outputs) + o] += x[(r * inputs) + i] * d[(r * outputs) + o];
            }
        }
    }

    private static Vector<float> Gelu(Vector<float> x) => x * Phi(x, out _);

    private static (Vector<float> Value, Vector<float> Gradient) GeluAndGradient(Vector<float> x)
    {
        var phi = Phi(x, out var exponential);
        return (x * phi, Vector.FusedMultiplyAdd(x * new Vector<float>(0.3989422804f), exponential, phi));
    }

    /// <summary>The normal distribution function Φ(x) = (1 + erf(x/√2)) / 2, and exp(−x²/2) on the way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Phi(Vector<float> x, out Vector<float> exponential)
    {
        var z = Vector.Abs(x) * new Vector<float>(0.70710678118654752f);
        var t = Vector<float>.One / Vector.FusedMultiplyAdd(z, new Vector<float>(0.3275911f), Vector<float>.One);
        var p = new Vector<float>(1.061405429f);
        p = Vector.FusedMultiplyAdd(p, t, new Vector<float>(-1.453152027f));
        p = Vector.FusedMultiplyAdd(p, t, new Vector<float>(1.421413741f));
        p = Vector.FusedMultiplyAdd(p, t, new Vector<float>(-0.284496736f));
        p = Vector.FusedMultiplyAdd(p, t, new Vector<float>(0.254829592f));
        exponential = Vector.Exp(-(z * z));
        var tail = p * t * exponential * new Vector<float>(0.5f); // 1 - Φ(|x|)
        return Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), tail, Vector<float>.One - tail);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Load(ref float start, int index) => Vector.LoadUnsafe(ref start, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector<float> value, ref float start, int index) => Vector.StoreUnsafe(value, ref start, (nuint)index);
}
