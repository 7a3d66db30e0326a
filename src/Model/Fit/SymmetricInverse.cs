using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StreamRec.Model;

/// <summary>
/// Inverse of a symmetric positive definite matrix in place, in float32: blocked Cholesky A = L·Lᵀ, then T = L⁻ᵀ, then A⁻¹ = T·Tᵀ.
/// All three phases are the same product of row panels (C −= A·Bᵀ, rows contiguous), run over blocks of rows in parallel; n³/2 multiply-adds in all.
/// L lives below the diagonal and T above it, so the only memory beside the matrix is n × 48 floats of T's diagonal blocks.
/// The result does not depend on the number of threads.
/// </summary>
public static class SymmetricInverse
{
    /// <summary>Rows of a block: a multiple of 4 and 3, the kernel's tile.</summary>
    private const int Block = 48;

    /// <summary>Floats of a row taken at once, so that a block of rows stays in the second-level cache.</summary>
    private const int Depth = 768;

    /// <summary>Rows and columns a matrix of n must be allocated with.</summary>
    public static int Padded(int n) => (n + Block - 1) / Block * Block;

    /// <summary>
    /// Inverts the leading n × n part of <paramref name="matrix"/>, of which the lower triangle is read; both triangles are written.
    /// </summary>
    /// <param name="matrix">[Padded(n), Padded(n)] row-major; the padding is overwritten.</param>
    /// <param name="n">Rows, at most 46,000 (an array's length).</param>
    /// <param name="threads">At most this many threads.</param>
    /// <param name="ct">Checked between blocks.</param>
    /// <exception cref="ArithmeticException">Not positive definite.</exception>
    public static void Invert(float[] matrix, int n, int threads, CancellationToken ct)
    {
        var stride = Padded(n);
        if (matrix.LongLength != (long)stride * stride)
            throw new ArgumentException($"{matrix.LongLength} values are not a padded matrix of {stride} × {stride}", nameof(matrix));
        for (var i = n; i < stride; i++)
        {
            matrix.AsSpan(i * stride, stride).Clear();
            matrix[(i * stride) + i] = 1;
        }

        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = ct };
        var blocks = stride / Block;
        Factor(matrix, stride, blocks, options);
        var diagonal = new float[stride * Block];
        Parallel.For(0, blocks, options, i => InvertRow(matrix, diagonal, stride, i, blocks));
        Parallel.For(0, blocks, options, i => MultiplyRow(matrix, diagonal, stride, blocks - 1 - i, blocks));
        Mirror(matrix, stride);
    }

    private static void Factor(float[] a, int stride, int blocks, ParallelOptions options)
    {
        for (var j = 0; j < blocks; j++)
        {
            int column = j * Block, row = column * stride;
            SubtractProduct(a, row, stride, a, row, stride, column, a, row + column, stride);
            FactorDiagonal(a.AsSpan(row + column), stride);
            Parallel.For(j + 1, blocks, options, i =>
            {
                var below = i * Block * stride;
                SubtractProduct(a, below, stride, a, row, stride, column, a, below + column, stride);
                SolveRight(a.AsSpan(below + column), stride, a.AsSpan(row + column), stride);
            });
        }
    }

    private static void FactorDiagonal(Span<float> a, int stride)
    {
        for (var i = 0; i < Block; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                double sum = a[(i * stride) + j];
                for (var k = 0; k < j; k++)
                    sum -= (double)a[(i * stride) + k] * a[(j * stride) + k];
                if (i == j && !(sum > 0))
                    throw new ArithmeticException($"the matrix is not positive definite: pivot {sum:g3}");
                a[(i * stride) + j] = (float)(i == j ? Math.Sqrt(sum) : sum / a[(j * stride) + j]);
            }
        }
    }

    /// <summary>x ← x · L⁻ᵀ for a block x and a lower triangular block L: each row by forward substitution.</summary>
    private static void SolveRight(Span<float> x, int xStride, ReadOnlySpan<float> l, int lStride)
    {
        for (var r = 0; r < Block; r++)
        {
            var row = x.Slice(r * xStride, Block);
            for (var k = 0; k < Block; k++)
            {
                var known = l.Slice(k * lStride, k);
                row[k] = (row[k] - System.Numerics.Tensors.TensorPrimitives.Dot(row[..k], known)) / l[(k * lStride) + k];
            }
        }
    }

    /// <summary>Row block i of T: T·Lᵀ = I, so T[i, k] = (I[i, k] − Σ_{m &lt; k} T[i, m]·L[k, m]ᵀ) · L[k, k]⁻ᵀ.</summary>
    private static void InvertRow(float[] a, float[] diagonal, int stride, int i, int blocks)
    {
        var own = i * Block * Block;
        for (var r = 0; r < Block; r++)
            diagonal[own + (r * Block) + r] = 1;
        int first = i * Block, row = first * stride;
        SolveRight(diagonal.AsSpan(own), Block, a.AsSpan(row + first), stride);
        for (var k = i + 1; k < blocks; k++)
        {
            int column = k * Block, lower = column * stride;
            for (var r = 0; r < Block; r++)
                a.AsSpan(row + (r * stride) + column, Block).Clear();
            SubtractProduct(diagonal, own, Block, a, lower + first, stride, Block, a, row + column, stride);
            var middle = first + Block;
            SubtractProduct(a, row + middle, stride, a, lower + middle, stride, column - middle, a, row + column, stride);
            SolveRight(a.AsSpan(row + column), stride, a.AsSpan(lower + column), stride);
        }
    }

    /// <summary>Row block i of the inverse's lower triangle: P[i, j] = Σ_{k ≥ i} T[i, k]·T[j, k]ᵀ, j ≤ i; overwrites L.</summary>
    private static void MultiplyRow(float[] a, float[] diagonal, int stride, int i, int blocks)
    {
        var own = i * Block * Block;
        int first = i * Block, row = first * stride, after = first + Block;
        for (var j = 0; j <= i; j++)
        {
            var target = row + (j * Block);
            for (var r = 0; r < Block; r++)
                a.AsSpan(target + (r * stride), Block).Clear();
            var other = j * Block * stride;
            if (j == i)
                SubtractProduct(diagonal, own, Block, diagonal, own, Block, Block, a, target, stride);
            else
                SubtractProduct(diagonal, own, Block, a, other + first, stride, Block, a, target, stride);
            SubtractProduct(a, row + after, stride, a, other + after, stride, (blocks * Block) - after, a, target, stride);
        }
    }

    /// <summary>The products were subtracted from zero: flip the sign, and copy below to above.</summary>
    private static void Mirror(float[] a, int n)
    {
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j <= i; j++)
                a[(j * n) + i] = a[(i * n) + j] = -a[(i * n) + j];
        }
    }

    /// <summary>C −= A · Bᵀ for blocks of 48 rows and a common depth; offsets and strides in floats.</summary>
    private static void SubtractProduct(
        float[] a, int aAt, int aStride, float[] b, int bAt, int bStride, int depth, float[] c, int cAt, int cStride)
    {
        ref var a0 = ref MemoryMarshal.GetArrayDataReference(a);
        ref var b0 = ref MemoryMarshal.GetArrayDataReference(b);
        for (var k = 0; k < depth; k += Depth)
        {
            var length = Math.Min(Depth, depth - k);
            for (var j = 0; j < Block; j += 3)
            {
                for (var i = 0; i < Block; i += 4)
                {
                    Tile(
                        ref Unsafe.Add(ref a0, aAt + (i * aStride) + k), aStride, ref Unsafe.Add(ref b0, bAt + (j * bStride) + k), bStride,
                        length, c.AsSpan(cAt + (i * cStride) + j), cStride);
                }
            }
        }
    }

    /// <summary>Twelve dot products at once: 4 rows of A by 3 of B fill the 16 vector registers of AVX2. The depth is a multiple of the vector width.</summary>
    private static void Tile(ref float a, int aStride, ref float b, int bStride, int depth, Span<float> c, int cStride)
    {
        ref float a1 = ref Unsafe.Add(ref a, aStride), a2 = ref Unsafe.Add(ref a1, aStride), a3 = ref Unsafe.Add(ref a2, aStride);
        ref float b1 = ref Unsafe.Add(ref b, bStride), b2 = ref Unsafe.Add(ref b1, bStride);
        Vector<float> c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        Vector<float> c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        for (nuint k = 0; k < (nuint)depth; k += (nuint)Vector<float>.Count)
        {
            Vector<float> x = Vector.LoadUnsafe(ref b, k), y = Vector.LoadUnsafe(ref b1, k), z = Vector.LoadUnsafe(ref b2, k);
            var v = Vector.LoadUnsafe(ref a, k);
            c00 = Vector.FusedMultiplyAdd(v, x, c00);
            c01 = Vector.FusedMultiplyAdd(v, y, c01);
            c02 = Vector.FusedMultiplyAdd(v, z, c02);
            v = Vector.LoadUnsafe(ref a1, k);
            c10 = Vector.FusedMultiplyAdd(v, x, c10);
            c11 = Vector.FusedMultiplyAdd(v, y, c11);
            c12 = Vector.FusedMultiplyAdd(v, z, c12);
            v = Vector.LoadUnsafe(ref a2, k);
            c20 = Vector.FusedMultiplyAdd(v, x, c20);
            c21 = Vector.FusedMultiplyAdd(v, y, c21);
            c22 = Vector.FusedMultiplyAdd(v, z, c22);
            v = Vector.LoadUnsafe(ref a3, k);
            c30 = Vector.FusedMultiplyAdd(v, x, c30);
            c31 = Vector.FusedMultiplyAdd(v, y, c31);
            c32 = Vector.FusedMultiplyAdd(v, z, c32);
        }

        Take(c, c00, c01, c02);
        Take(c[cStride..], c10, c11, c12);
        Take(c[(2 * cStride)..], c20, c21, c22);
        Take(c[(3 * cStride)..], c30, c31, c32);
    }

    private static void Take(Span<float> c, Vector<float> x, Vector<float> y, Vector<float> z)
    {
        c[0] -= Vector.Sum(x);
        c[1] -= Vector.Sum(y);
        c[2] -= Vector.Sum(z);
    }
}
