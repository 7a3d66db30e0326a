namespace StreamRec.GraphStore;

/// <summary>Fixed-width neighbour lists: row r has <see cref="Width"/> places, of which the first <see cref="Count"/>[r] are used.</summary>
/// <param name="Width">T, places per row.</param>
/// <param name="Count">[rows].</param>
/// <param name="Neighbour">[rows × T] node indexes; -1 in unused places.</param>
/// <param name="Weight">[rows × T] importance, positive and summing to 1 over a row's used places; 0 in unused ones.</param>
public sealed record Neighbourhoods(int Width, int[] Count, int[] Neighbour, float[] Weight)
{
    public int Rows => Count.Length;

    public ReadOnlySpan<int> Of(int row) => Neighbour.AsSpan(row * Width, Count[row]);

    public ReadOnlySpan<float> WeightsOf(int row) => Weight.AsSpan(row * Width, Count[row]);

    internal static Neighbourhoods Empty(int rows, int width)
    {
        var neighbour = new int[(long)rows * width];
        neighbour.AsSpan().Fill(-1);
        return new Neighbourhoods(width, new int[rows], neighbour, new float[(long)rows * width]);
    }
}

/// <summary>Settings of <see cref="Samplers.RandomWalkNeighbours"/>.</summary>
public sealed record WalkSampling
{
    /// <summary>T, neighbours kept per item, default 20.</summary>
    public int Width { get; init; } = 20;

    /// <summary>Walks per item, default 200.</summary>
    public int Walks { get; init; } = 200;

    /// <summary>Item visits per walk, default 2.</summary>
    public int Length { get; init; } = 2;

    /// <summary>
    /// Chance factor of a step per place of distance along the person's sequence, default 0.9: what they did next to it counts more than what they did
    /// months away. 1 = all of the person's items alike, as in the PinSage paper.
    /// </summary>
    public float DistanceDecay { get; init; } = 0.9f;

    /// <summary>Only edges older than this are walked; default none excluded.</summary>
    public long BeforeMs { get; init; } = long.MaxValue;
}

/// <summary>
/// Neighbour sampling on a <see cref="CsrGraph"/>. Parallel; each row draws from a random stream of its own, so the result depends on the seed only,
/// never on the number of threads.
/// </summary>
public static class Samplers
{
    /// <summary>
    /// PinSage neighbourhoods (Ying et al., KDD 2018) over items: the T items most visited by short walks item → person → item,
    /// weights = visits / their sum. Equal visits: lower index first. The item itself is never its own neighbour. O(items × walks × length).
    /// </summary>
    public static Neighbourhoods RandomWalkNeighbours(CsrGraph graph, WalkSampling sampling, ulong seed, int threads = -1, CancellationToken ct = default)
    {
        if (!(sampling.DistanceDecay is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(sampling), sampling.DistanceDecay, "WalkSampling.DistanceDecay must be above 0 and at most 1");
        var result = Neighbourhoods.Empty(graph.Items, sampling.Width);
        Rows(graph.Items, threads, () => new VisitCounter(graph.Items), (item, counter) =>
        {
            var random = new WalkRandom(WalkRandom.Stream(seed, item));
            for (var walk = 0; walk < sampling.Walks; walk++)
            {
                var at = item;
                for (var step = 0; step < sampling.Length && at >= 0; step++)
                {
                    at = Step(graph, at, sampling, ref random);
                    if (at >= 0 && at != item)
                        counter.Add(at);
                }
            }

            counter.TakeTop(result, item);
        }, ct);
        return result;
    }

    /// <summary>
    /// T items of a user's neighbourhood drawn uniformly without replacement among edges older than the row's time; equal weights. Row r asks for
    /// users[r] as of beforeMs[r]: no edge at or after that time is seen, so a target never meets itself or its future.
    /// </summary>
    public static Neighbourhoods UniformItems(
        CsrGraph graph, int[] users, long[] beforeMs, int width, ulong seed, int threads = -1, CancellationToken ct = default)
        => Temporal(users, beforeMs, width, threads, (row, into, counter) =>
        {
            var (start, degree) = (graph.UserStart[users[row]], graph.UserDegreeBefore(users[row], beforeMs[row]));
            return counter.Draw(degree, into, WalkRandom.Stream(seed, row), at => graph.Item[start + at]);
        }, ct);

    /// <summary>T users of an item's neighbourhood drawn uniformly without replacement among edges older than the row's time; equal weights.</summary>
    public static Neighbourhoods UniformUsers(
        CsrGraph graph, int[] items, long[] beforeMs, int width, ulong seed, int threads = -1, CancellationToken ct = default)
        => Temporal(items, beforeMs, width, threads, (row, into, counter) =>
        {
            var (start, degree) = (graph.ItemStart[items[row]], graph.ItemDegreeBefore(items[row], beforeMs[row]));
            return counter.Draw(degree, into, WalkRandom.Stream(seed, row), at => graph.User[graph.ItemEdge[start + at]]);
        }, ct);

    /// <summary>The newest T items of each user among edges older than the row's time, newest first; equal weights.</summary>
    public static Neighbourhoods NewestItems(CsrGraph graph, int[] users, long[] beforeMs, int width, int threads = -1, CancellationToken ct = default)
        => Temporal(users, beforeMs, width, threads, (row, into, _) =>
        {
            var (start, degree) = (graph.UserStart[users[row]], graph.UserDegreeBefore(users[row], beforeMs[row]));
            var count = Math.Min(degree, into.Length);
            for (var i = 0; i < count; i++)
                into.Span[i] = graph.Item[start + degree - 1 - i];
            return count;
        }, ct);

    private static Neighbourhoods Temporal(
        int[] nodes, long[] beforeMs, int width, int threads, Func<int, Memory<int>, DrawBuffer, int> fill, CancellationToken ct)
    {
        if (nodes.Length != beforeMs.Length)
            throw new ArgumentException($"{nodes.Length} nodes but {beforeMs.Length} times", nameof(beforeMs));
        var result = Neighbourhoods.Empty(nodes.Length, width);
        Rows(nodes.Length, threads, () => new DrawBuffer(), (row, buffer) =>
        {
            var count = result.Count[row] = fill(row, result.Neighbour.AsMemory(row * width, width), buffer);
            result.Weight.AsSpan(row * width, count).Fill(1f / Math.Max(1, count));
        }, ct);
        return result;
    }

    /// <summary>From an item to a random person who touched it, on to another of their items; -1 when there is no way on.</summary>
    private static int Step(CsrGraph graph, int item, WalkSampling sampling, ref WalkRandom random)
    {
        var degree = sampling.BeforeMs == long.MaxValue ? graph.ItemDegree(item) : graph.ItemDegreeBefore(item, sampling.BeforeMs);
        if (degree == 0)
            return -1;
        var edge = graph.ItemEdge[graph.ItemStart[item] + random.Below(degree)];
        var user = graph.User[edge];
        var (start, end) = (graph.UserStart[user], graph.UserStart[user + 1]);
        if (sampling.BeforeMs != long.MaxValue)
            end = start + graph.UserDegreeBefore(user, sampling.BeforeMs);
        var (left, right) = (edge - start, end - edge - 1);
        if (left + right == 0)
            return -1;
        if (sampling.DistanceDecay >= 1)
        {
            var other = start + random.Below(left + right);
            return graph.Item[other >= edge ? other + 1 : other];
        }

        var ln = Math.Log(sampling.DistanceDecay);
        var (leftMass, rightMass) = (1 - Math.Exp(left * ln), 1 - Math.Exp(right * ln)); // in units of decay / (1 - decay)
        var goLeft = random.Unit() * (leftMass + rightMass) < leftMass;
        var (mass, room) = goLeft ? (leftMass, left) : (rightMass, right);
        var distance = Math.Clamp((int)Math.Ceiling(Math.Log(1 - (random.Unit() * mass)) / ln), 1, room);
        return graph.Item[goLeft ? edge - distance : edge + distance];
    }

    private static void Rows<TLocal>(int rows, int threads, Func<TLocal> local, Action<int, TLocal> body, CancellationToken ct)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = ct };
        const int Chunk = 64;
        Parallel.For(0, (rows + Chunk - 1) / Chunk, options, local, (chunk, _, state) =>
        {
            for (var row = chunk * Chunk; row < Math.Min(rows, (chunk + 1) * Chunk); row++)
                body(row, state);
            return state;
        }, static _ => { });
    }

    /// <summary>Draws without replacement: Floyd's algorithm over edge places.</summary>
    private sealed class DrawBuffer
    {
        private readonly HashSet<int> _drawn = [];

        public int Draw(int degree, Memory<int> into, ulong seed, Func<int, int> neighbourAt)
        {
            var count = Math.Min(degree, into.Length);
            var random = new WalkRandom(seed);
            _drawn.Clear();
            for (var i = 0; i < count; i++)
            {
                var limit = degree - count + i;
                var place = random.Below(limit + 1);
                if (!_drawn.Add(place))
                    _drawn.Add(place = limit);
                into.Span[i] = neighbourAt(place);
            }

            return count;
        }
    }

    private sealed class VisitCounter(int items)
    {
        private readonly int[] _visits = new int[items];
        private readonly List<int> _touched = [];

        public void Add(int item)
        {
            if (_visits[item]++ == 0)
                _touched.Add(item);
        }

        public void TakeTop(Neighbourhoods into, int row)
        {
            _touched.Sort((a, b) => _visits[a] != _visits[b] ? _visits[b].CompareTo(_visits[a]) : a.CompareTo(b));
            var count = into.Count[row] = Math.Min(into.Width, _touched.Count);
            float sum = 0;
            for (var i = 0; i < count; i++)
                sum += _visits[_touched[i]];
            for (var i = 0; i < count; i++)
            {
                into.Neighbour[(row * into.Width) + i] = _touched[i];
                into.Weight[(row * into.Width) + i] = _visits[_touched[i]] / sum;
            }

            foreach (var item in _touched)
                _visits[item] = 0;
            _touched.Clear();
        }
    }
}
