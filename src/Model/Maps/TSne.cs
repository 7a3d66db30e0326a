using System.Numerics.Tensors;

namespace StreamRec.Model.Maps;

/// <summary>Settings of <see cref="TSne"/>.</summary>
public sealed record TSneOptions
{
    /// <summary>About how many neighbours a point minds. Default 30.</summary>
    public double Perplexity { get; init; } = 30;

    /// <summary>Default 600.</summary>
    public int Iterations { get; init; } = 600;

    public int Seed { get; init; } = 1;
}

/// <summary>
/// Vectors on a plane so that near ones stay near (t-SNE, van der Maaten and Hinton, JMLR 2008): attraction along the nearest neighbours' Gaussian
/// affinities, exact repulsion of Student's t between all pairs. Deterministic for a seed whatever the number of threads.
/// Cost O(n²·d) once and O(n²) per iteration: 2,000 points take about 20 s on a core, so larger catalogues are sampled by the caller.
/// </summary>
public static class TSne
{
    private const int EarlyIterations = 100;
    private const float EarlyExaggeration = 12;

    /// <param name="vectors">[n, width] row by row.</param>
    /// <param name="width">Of a vector.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="progress">Iterations done; may be null.</param>
    /// <param name="cancel">Checked each iteration.</param>
    /// <returns>x and y of each point, centred on 0.</returns>
    public static (float[] X, float[] Y) Embed(
        float[] vectors, int width, TSneOptions? options = null, Action<int>? progress = null, CancellationToken cancel = default)
    {
        options ??= new TSneOptions();
        var n = vectors.Length / width;
        var edges = Affinities(vectors, n, width, Math.Min(options.Perplexity, Math.Max(1, (n - 1) / 3.0)), cancel);
        var random = new Random(options.Seed);
        float[] Start() => [.. Enumerable.Range(0, n).Select(_ => (float)(random.NextDouble() - 0.5) * 1e-2f)];
        var (x, y) = (Start(), Start());
        var (velocityX, velocityY, forceX, forceY) = (new float[n], new float[n], new float[n], new float[n]);
        var rate = Math.Max(50f, n / EarlyExaggeration);
        for (var step = 0; step < options.Iterations; step++)
        {
            cancel.ThrowIfCancellationRequested();
            Forces(edges, x, y, step < EarlyIterations ? EarlyExaggeration : 1, forceX, forceY);
            var momentum = step < EarlyIterations ? 0.5f : 0.8f;
            Move(x, velocityX, forceX, momentum, rate);
            Move(y, velocityY, forceY, momentum, rate);
            progress?.Invoke(step + 1);
        }

        return (x, y);
    }

    /// <summary>Symmetric affinities as neighbour lists; all together they sum to 1.</summary>
    private static (int To, float P)[][] Affinities(float[] vectors, int n, int width, double perplexity, CancellationToken cancel)
    {
        var keep = Math.Min(n - 1, (int)(3 * perplexity));
        var squares = Enumerable.Range(0, n).Select(i => TensorPrimitives.SumOfSquares<float>(vectors.AsSpan(i * width, width))).ToArray();
        var nearest = new (int To, double P)[n][];
        Parallel.For(0, n, new ParallelOptions { CancellationToken = cancel }, i =>
        {
            var (distance, order) = (new float[n], new int[n]);
            for (var j = 0; j < n; j++)
            {
                order[j] = j;
                distance[j] = j == i
                    ? float.MaxValue
                    : Math.Max(
                        0,
                        squares[i] + squares[j]
                            - (2 * TensorPrimitives.Dot<float>(vectors.AsSpan(i * width, width), vectors.AsSpan(j * width, width))));
            }

            Array.Sort(distance, order);
            nearest[i] = Row(distance.AsSpan(0, keep), order, perplexity);
        });

        var joint = new Dictionary<int, double>[n];
        for (var i = 0; i < n; i++)
            joint[i] = [];
        for (var i = 0; i < n; i++)
        {
            foreach (var (to, p) in nearest[i])
            {
                joint[i][to] = joint[i].GetValueOrDefault(to) + (p / (2.0 * n));
                joint[to][i] = joint[to].GetValueOrDefault(i) + (p / (2.0 * n));
            }
        }

        return [.. joint.Select(row => row.OrderBy(e => e.Key).Select(e => (e.Key, (float)e.Value)).ToArray())];
    }

    /// <summary>p ∝ exp(−β d), β found by halving so that the row's entropy is log perplexity.</summary>
    private static (int, double)[] Row(ReadOnlySpan<float> distance, int[] order, double perplexity)
    {
        var (low, high, beta) = (0.0, double.PositiveInfinity, 1.0);
        var p = new double[distance.Length];
        for (var tries = 0; tries < 60; tries++)
        {
            var (sum, weighted) = (0.0, 0.0);
            for (var k = 0; k < p.Length; k++)
            {
                p[k] = Math.Exp(-beta * (distance[k] - distance[0]));
                sum += p[k];
                weighted += p[k] * (distance[k] - distance[0]);
            }

            var entropy = Math.Log(sum) + (beta * weighted / sum);
            for (var k = 0; k < p.Length; k++)
                p[k] /= sum;
            if (Math.Abs(entropy - Math.Log(perplexity)) < 1e-5)
                break;
            (low, high) = entropy > Math.Log(perplexity) ? (beta, high) : (low, beta);
            beta = double.IsInfinity(high) ? beta * 2 : (low + high) / 2;
        }

        return [.. p.Index().Select(e => (order[e.Index], e.Item))];
    }

    /// <summary>
    /// The negative gradient but for a factor of 4: Σ p q' (yᵢ − yⱼ) pulls, Σ q q' (yᵢ − yⱼ) pushes, q' = 1 / (1 + |yᵢ − yⱼ|²).
    /// </summary>
    private static void Forces((int To, float P)[][] edges, float[] x, float[] y, float exaggeration, float[] forceX, float[] forceY)
    {
        var n = x.Length;
        var sums = new double[n];
        var (pushX, pushY) = (new float[n], new float[n]);
        Parallel.For(0, n, i =>
        {
            Span<float> dx = n <= 4096 ? stackalloc float[n] : new float[n],
                dy = n <= 4096 ? stackalloc float[n] : new float[n],
                q = n <= 4096 ? stackalloc float[n] : new float[n];
            TensorPrimitives.Subtract(x[i], x, dx);
            TensorPrimitives.Subtract(y[i], y, dy);
            TensorPrimitives.Multiply(dx, dx, q);
            TensorPrimitives.MultiplyAdd(dy, dy, q, q);
            TensorPrimitives.Add(q, 1, q);
            TensorPrimitives.Divide(1, q, q);
            sums[i] = TensorPrimitives.Sum<float>(q) - 1; // without the point itself
            TensorPrimitives.Multiply(q, q, q);
            pushX[i] = TensorPrimitives.Dot<float>(q, dx);
            pushY[i] = TensorPrimitives.Dot<float>(q, dy);
        });
        var total = Math.Max(1e-12, sums.Sum());
        Parallel.For(0, n, i =>
        {
            var (pullX, pullY) = (0f, 0f);
            foreach (var (to, p) in edges[i])
            {
                var (dx, dy) = (x[i] - x[to], y[i] - y[to]);
                var weight = p * exaggeration / (1 + (dx * dx) + (dy * dy));
                (pullX, pullY) = (pullX + (weight * dx), pullY + (weight * dy));
            }

            forceX[i] = (float)(pushX[i] / total) - pullX;
            forceY[i] = (float)(pushY[i] / total) - pullY;
        });
    }

    private static void Move(float[] at, float[] velocity, float[] force, float momentum, float rate)
    {
        TensorPrimitives.Multiply(velocity, momentum, velocity);
        TensorPrimitives.MultiplyAdd(force, 4 * rate, velocity, velocity);
        TensorPrimitives.Add(at, velocity, at);
        TensorPrimitives.Subtract(at, TensorPrimitives.Average<float>(at), at);
    }
}
