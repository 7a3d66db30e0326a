using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace StreamRec.Model;

/// <summary>
/// Exact inner products of one vector with every row of a table: what nearest-neighbour search is for up to about 200,000 items, where memory
/// bandwidth (4·d bytes an item) is the only cost.
/// </summary>
public static class VectorScan
{
    /// <summary>scores[i] = query · rows[i] (+ bias[i]). No allocation.</summary>
    /// <param name="query">[d].</param>
    /// <param name="rows">[n, d] row-major.</param>
    /// <param name="bias">[n] or empty.</param>
    /// <param name="scores">[n], output.</param>
    public static void Score(ReadOnlySpan<float> query, ReadOnlySpan<float> rows, ReadOnlySpan<float> bias, Span<float> scores)
    {
        var d = query.Length;
        if (rows.Length != (long)scores.Length * d)
            throw new ArgumentException($"{rows.Length} values are not {scores.Length} rows of {d}", nameof(rows));
        var i = 0;
        if (d % Vector<float>.Count == 0)
        {
            for (; i + 4 <= scores.Length; i += 4)
                Four(MemoryMarshal.Cast<float, Vector<float>>(query), rows.Slice(i * d, 4 * d), scores.Slice(i, 4));
        }

        for (; i < scores.Length; i++)
            scores[i] = TensorPrimitives.Dot(query, rows.Slice(i * d, d));
        if (!bias.IsEmpty)
            TensorPrimitives.Add(scores, bias[..scores.Length], scores);
    }

    private static void Four(ReadOnlySpan<Vector<float>> query, ReadOnlySpan<float> rows, Span<float> scores)
    {
        var d = query.Length;
        var v = MemoryMarshal.Cast<float, Vector<float>>(rows);
        ReadOnlySpan<Vector<float>> ra = v[..d], rb = v.Slice(d, d), rc = v.Slice(2 * d, d), rd = v.Slice(3 * d, d);
        Vector<float> a = default, b = default, c = default, e = default;
        for (var k = 0; k < query.Length; k++)
        {
            var q = query[k];
            a = Vector.FusedMultiplyAdd(q, ra[k], a);
            b = Vector.FusedMultiplyAdd(q, rb[k], b);
            c = Vector.FusedMultiplyAdd(q, rc[k], c);
            e = Vector.FusedMultiplyAdd(q, rd[k], e);
        }

        scores[0] = Vector.Sum(a);
        scores[1] = Vector.Sum(b);
        scores[2] = Vector.Sum(c);
        scores[3] = Vector.Sum(e);
    }
}
