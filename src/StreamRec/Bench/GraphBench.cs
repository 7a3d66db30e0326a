using System.Diagnostics;
using StreamRec.GraphStore;

namespace StreamRec.Bench;

/// <summary>
/// The live graph beside its physical limits: insert and bytes per edge, walks, start-up from arrays. Single-threaded; the edges are power-law on
/// both sides (a node's index is n × u³ for uniform u, so the first 1 % of the nodes carry about a fifth of the edges).
/// </summary>
public sealed class GraphBench
{
    private readonly BenchLog _log;

    /// <param name="log">Receives the numbers.</param>
    public GraphBench(BenchLog log) => _log = log;

    /// <summary>
    /// All of it. 1×, 10× and 50× of a million edges take about two minutes and 3 GB.
    /// Names of rounds other than the standard ones carry a suffix with their size.
    /// </summary>
    public void Run(IReadOnlyList<int> sizes, CancellationToken ct)
    {
        foreach (var edges in sizes)
        {
            ct.ThrowIfCancellationRequested();
            _log.Say($"{edges:N0} edges");
            Round(new Edges(edges));
        }
    }

    /// <summary>The standard rounds: 1 M, 10 M and 50 M edges. Insert and memory are quoted at 50 M, walk and load at 10 M.</summary>
    public void Run(CancellationToken ct) => Run([1_000_000, 10_000_000, 50_000_000], ct);

    private void Round(Edges edges)
    {
        var n = edges.User.Length;
        var append = Best(2, () => AppendOnly(edges));
        var shape = $"{n:N0} power-law edges, {edges.Users:N0} users, {edges.Items:N0} items";
        if (n <= 10_000_000)
        {
            var each = Insert(edges, 1, out _);
            _log.Add(BenchResult.Beside(Name("live_graph_insert_each", n, 10_000_000), n / each, "edges/s", n / append,
                $"one writer, one call per edge, {shape}; limit: the same edges appended to four plain arrays"));
        }

        var before = GC.GetTotalMemory(forceFullCollection: true);
        var insert = Insert(edges, 1 << 12, out var graph);
        var bytes = GC.GetTotalMemory(forceFullCollection: true) - before;
        _log.Add(BenchResult.Beside(Name("live_graph_insert", n, 50_000_000), n / insert, "edges/s", n / append,
            $"one writer, both directions, 4,096 edges a call, {shape}; limit: the same edges appended to four plain arrays"));
        _log.Add(BenchResult.Beside(Name("live_graph_bytes_per_edge", n, 50_000_000), bytes / (double)n, "bytes/edge", 16,
            $"managed heap after a full collection less before, {shape}; "
            + "limit: the payload alone (4 + 8 + 4), item + type/value/time by user and user by item"));
        List<double> walks = [], reads = [];
        for (var turn = 0; turn < 3; turn++)
        {
            walks.Add(Walks(graph, edges));
            reads.Add(RandomReads(n));
        }

        _log.Add(Rounds.Row(Name("live_graph_walk", n, 10_000_000), "steps/s", walks, reads,
            $"edges followed by RandomWalker on one core, restarts, counting and top-100 included, {shape}; "
            + $"limit: independent random reads over an int array of {n:N0}, in turn with it; a step is two dependent reads"));
        GC.KeepAlive(graph);
        if (n <= 10_000_000)
            _log.Add(Load(edges, append, shape));
    }

    private static BenchResult Load(Edges edges, double append, string shape)
    {
        var snapshot = edges.ToSnapshot();
        var watch = Stopwatch.StartNew();
        var graph = LiveGraph.Load(snapshot, new LiveGraphOptions { MaxEdges = edges.User.Length });
        var seconds = watch.Elapsed.TotalSeconds;
        GC.KeepAlive(graph);
        return BenchResult.Beside(Name("live_graph_load", edges.User.Length, 10_000_000), seconds, "s", append,
            $"LiveGraph.Load from snapshot arrays, string ids interned, {shape}; limit: the same edges appended to four plain arrays");
    }

    private static double Insert(Edges edges, int atOnce, out LiveGraph graph)
    {
        var n = edges.User.Length;
        var (types, values, times) = (new byte[atOnce], new float[atOnce], new long[atOnce]);
        Array.Fill(types, (byte)1);
        Array.Fill(values, float.NaN);
        var watch = Stopwatch.StartNew();
        graph = new LiveGraph(new LiveGraphOptions { MaxEdges = n, MaxUsers = edges.Users, MaxItems = edges.Items });
        for (var from = 0; from < n; from += atOnce)
        {
            var count = Math.Min(atOnce, n - from);
            for (var i = 0; i < count; i++)
                times[i] = Edges.Start + from + i;
            if (atOnce == 1)
                graph.Add(edges.User[from], edges.Item[from], 1, float.NaN, times[0]);
            else
                graph.Add(
                    edges.User.AsSpan(from, count), edges.Item.AsSpan(from, count),
                    types.AsSpan(0, count), values.AsSpan(0, count), times.AsSpan(0, count));
        }

        return watch.Elapsed.TotalSeconds;
    }

    private static double AppendOnly(Edges edges)
    {
        var n = edges.User.Length;
        var (users, items, types, times) = (new int[n], new int[n], new byte[n], new long[n]);
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < n; i++)
            (users[i], items[i], types[i], times[i]) = (edges.User[i], edges.Item[i], 1, Edges.Start + i);
        return watch.Elapsed.TotalSeconds;
    }

    private static double Walks(LiveGraph graph, Edges edges)
    {
        var walker = new RandomWalker(graph);
        var scratch = new WalkScratch();
        var options = new WalkOptions { Visits = 20_000 };
        var top = new WalkCandidate[100];
        var round = 0;
        double Walk()
        {
            Span<(int, float)> seeds = stackalloc (int, float)[8];
            for (var s = 0; s < seeds.Length; s++)
                seeds[s] = (edges.Item[(int)(WalkRandom.Stream(7, (round * 8) + s) % (ulong)edges.Item.Length)], 1f);
            walker.Walk(seeds, options, (ulong)round++, scratch, top);
            return scratch.Steps;
        }

        Rounds.Rate(0.5, Walk, CancellationToken.None); // warms the code up
        return Rounds.Rate(2, Walk, CancellationToken.None);
    }

    /// <summary>Reads per second at places that do not depend on what was read, so that as many misses overlap as the core can hold.</summary>
    private static double RandomReads(int n)
    {
        var array = new int[n];
        Array.Fill(array, 1);
        const int Reads = 20_000_000;
        var sum = 0L;
        var seconds = Best(2, () =>
        {
            var random = new WalkRandom(3);
            var watch = Stopwatch.StartNew();
            for (var i = 0; i < Reads; i++)
                sum += array[random.Below(n)];
            return watch.Elapsed.TotalSeconds;
        });
        return sum > 0 ? Reads / seconds : 0;
    }

    private static double Best(int times, Func<double> run) => Enumerable.Range(0, times).Min(_ => run());

    private static string Name(string name, int edges, int standard) => edges == standard ? name : $"{name}_{edges / 1_000_000}m";

    private sealed class Edges
    {
        public Edges(int edges)
        {
            (Users, Items) = (Math.Max(1_000, edges / 50), Math.Max(500, edges / 500));
            (User, Item) = (new int[edges], new int[edges]);
            var random = new WalkRandom(11);
            for (var i = 0; i < edges; i++)
                (User[i], Item[i]) = (PowerLaw(ref random, Users), PowerLaw(ref random, Items));
        }

        public int Users { get; }
        public int Items { get; }
        public int[] User { get; }
        public int[] Item { get; }
        public const long Start = 1_700_000_000_000;

        public GraphSnapshot ToSnapshot()
        {
            var types = new byte[User.Length];
            Array.Fill(types, (byte)1);
            var times = new long[User.Length];
            for (var i = 0; i < times.Length; i++)
                times[i] = Start + i;
            return new GraphSnapshot
            {
                Users = [.. Enumerable.Range(0, Users).Select(u => $"u{u}")],
                Items = [.. Enumerable.Range(0, Items).Select(i => new Contracts.ItemRecord { ItemId = $"i{i}" })],
                User = User,
                Item = Item,
                Type = types,
                Value = new float[User.Length],
                TimeMs = times,
                NextOffsets = new Dictionary<int, long>(),
            };
        }

        private static int PowerLaw(ref WalkRandom random, int n)
        {
            var u = random.Unit() + (random.Unit() / (1 << 24));
            return Math.Min(n - 1, (int)(n * (double)u * u * u));
        }
    }
}
