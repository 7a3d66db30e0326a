using System.Numerics.Tensors;
using StreamRec.Model;

namespace StreamRec.Trainer.Text;

/// <summary>
/// Principal component analysis: vectors of width d in the k directions in which they vary most (Pearson, 1901; the directions by orthogonal iteration on the
/// covariance). A projected vector is brought to length 1 again. Immutable; thread-safe.
/// </summary>
public sealed class PrincipalComponents
{
    /// <summary>Rows the covariance is taken from, evenly spread: more change nothing that can be seen.</summary>
    private const int MaxRows = 50_000;
    private const int Iterations = 300;
    private readonly float[] _mean;
    private readonly float[] _directions;

    private PrincipalComponents(int inputs, int outputs, float[] mean, float[] directions, double explained) =>
        (Inputs, Outputs, _mean, _directions, Explained) = (inputs, outputs, mean, directions, explained);

    public int Inputs { get; }
    public int Outputs { get; }

    /// <summary>Share of the variance the kept directions carry.</summary>
    public double Explained { get; }

    /// <summary>Cost rows·d² once and d²·k per iteration: a second or two for 384 → 64.</summary>
    /// <param name="rows">Vectors of equal width; fewer than <paramref name="outputs"/> leave directions without variance, which are harmless.</param>
    /// <param name="outputs">k, at most the width.</param>
    public static PrincipalComponents Fit(IReadOnlyList<float[]> rows, int outputs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(rows.Count);
        var d = rows[0].Length;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(outputs, d);
        var (mean, covariance) = Covariance(rows, d);
        var directions = new double[outputs * d];
        var random = new Random(1);
        for (var i = 0; i < directions.Length; i++)
            directions[i] = random.NextDouble() - 0.5;
        var variance = Orthonormalise(directions, outputs, d);
        var next = new double[outputs * d];
        for (var step = 0; step < Iterations; step++)
        {
            for (var c = 0; c < outputs; c++)
            {
                for (var i = 0; i < d; i++)
                    next[(c * d) + i] = TensorPrimitives.Dot<double>(covariance.AsSpan(i * d, d), directions.AsSpan(c * d, d));
            }

            var before = variance;
            variance = Orthonormalise(next, outputs, d);
            (directions, next) = (next, directions);
            if (Enumerable.Range(0, outputs).All(c => Math.Abs(variance[c] - before[c]) <= 1e-9 * variance[0]))
                break;
        }

        var total = Enumerable.Range(0, d).Sum(i => covariance[(i * d) + i]);
        return new PrincipalComponents(d, outputs, mean, Array.ConvertAll(directions, x => (float)x), total > 0 ? variance.Sum() / total : 1);
    }

    /// <summary>The vector in the kept directions, length 1; one equal to the mean stays 0.</summary>
    public float[] Project(ReadOnlySpan<float> vector)
    {
        var centred = new float[Inputs];
        TensorPrimitives.Subtract(vector, _mean, centred);
        var result = new float[Outputs];
        for (var c = 0; c < Outputs; c++)
            result[c] = TensorPrimitives.Dot(_directions.AsSpan(c * Inputs, Inputs), centred);
        var norm = TensorPrimitives.Norm<float>(result);
        if (norm > 0)
            TensorPrimitives.Divide(result, norm, result);
        return result;
    }

    public void Save(string path) => SafeTensors.Write(path, new Dictionary<string, (long[], float[])>
    {
        ["mean"] = ([Inputs], _mean),
        ["directions"] = ([Outputs, Inputs], _directions),
        ["explained"] = ([1], [(float)Explained]),
    });

    /// <exception cref="InvalidDataException">Not a file of <see cref="Save"/>.</exception>
    public static PrincipalComponents Load(string path)
    {
        using var file = SafeTensors.Open(path);
        if (!file.Tensors.TryGetValue("directions", out var info)
            || info.Shape.Length != 2
            || !file.Tensors.TryGetValue("mean", out var mean)
            || mean.Count != info.Shape[1])
            throw new InvalidDataException($"{path} holds no principal components");
        return new PrincipalComponents(
            (int)info.Shape[1], (int)info.Shape[0],
            file.ReadFloat32("mean"),
            file.ReadFloat32("directions"),
            file.ReadFloat32("explained")[0]);
    }

    private static (float[] Mean, double[] Covariance) Covariance(IReadOnlyList<float[]> rows, int d)
    {
        var step = Math.Max(1, rows.Count / MaxRows);
        var (sum, products, count) = (new double[d], new double[d * d], 0);
        var row = new double[d];
        for (var r = 0; r < rows.Count; r += step, count++)
        {
            TensorPrimitives.ConvertTruncating<float, double>(rows[r], row);
            TensorPrimitives.Add<double>(sum, row, sum);
            for (var i = 0; i < d; i++)
                TensorPrimitives.MultiplyAdd<double>(row, row[i], products.AsSpan(i * d, d), products.AsSpan(i * d, d));
        }

        for (var i = 0; i < d; i++)
        {
            for (var j = 0; j < d; j++)
                products[(i * d) + j] = (products[(i * d) + j] / count) - (sum[i] / count * (sum[j] / count));
        }

        return (Array.ConvertAll(sum, s => (float)(s / count)), products);
    }

    /// <summary>Gram and Schmidt, row by row; returns the rows' lengths before, which are the variances once the rows are directions.</summary>
    private static double[] Orthonormalise(double[] rows, int count, int d)
    {
        var lengths = new double[count];
        for (var c = 0; c < count; c++)
        {
            var row = rows.AsSpan(c * d, d);
            for (var pass = 0; pass < 2; pass++) // twice: once is not enough when a row is almost in the span of those before
            {
                for (var e = 0; e < c; e++)
                {
                    var other = rows.AsSpan(e * d, d);
                    TensorPrimitives.MultiplyAdd(other, -TensorPrimitives.Dot<double>(row, other), row, row);
                }

                if (pass == 0)
                    lengths[c] = TensorPrimitives.Norm<double>(row);
            }

            var norm = TensorPrimitives.Norm<double>(row);
            if (norm > 1e-300)
                TensorPrimitives.Divide(row, norm, row);
        }

        return lengths;
    }
}
