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

    /// <summary>All of it. 1×, 10× and 50× of a million edges take about two minutes and 3 GB. Names of rounds other than the standard ones carry a suffix with their size.</summary>
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
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var watch = Stopwatch.StartNew();
        var graph = Insert(edges);
        var insert = watch.Elapsed.TotalSeconds;
        var bytes = GC.GetTotalMemory(forceFullCollection: true) - before;
        var shape = $"{n:N0} power-law edges, {edges.Users:N0} users, {edges.Items:N0} items";
        _log.Add(BenchResult.Beside(Name("live_graph_insert", n, 50_000_000), n / insert, "edges/s", n / append,
            $"one writer, both directions, {shape}; limit: the same edges appended to four plain arrays"));
        _log.Add(BenchResult.Beside(Name("live_graph_bytes_per_edge", n, 50_000_000), bytes / (double)n, "bytes/edge", 16,
            $"managed heap after a full collection less before, {shape}; limit: the payload alone (4 + 8 + 4), item + type/value/time by user and user by item"));
        var (steps, seconds) = Walks(graph, edges);
        _log.Add(BenchResult.Beside(Name("live_graph_walk", n, 10_000_000), steps / seconds, "steps/s", RandomReads(n),
            $"edges followed by RandomWalker on one core, restarts, counting and top-100 included, {shape}; limit: independent random reads over an int array of {n:N0}"));
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

    private static LiveGraph Insert(Edges edges)
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = edges.User.Length, MaxUsers = edges.Users, MaxItems = edges.Items });
        for (var i = 0; i < edges.User.Length; i++)
            graph.Add(edges.User[i], edges.Item[i], 1, float.NaN, Edges.Start + i);
        return graph;
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

    private static (long Steps, double Seconds) Walks(LiveGraph graph, Edges edges)
    {
        var walker = new RandomWalker(graph);
        var scratch = new WalkScratch();
        var options = new WalkOptions { Visits = 20_000 };
        var top = new WalkCandidate[100];
        Span<(int, float)> seeds = stackalloc (int, float)[8];
        long steps = 0;
        var watch = new Stopwatch();
        for (var round = -20; round < 200; round++)
        {
            if (round == 0)
                watch.Start(); // the first rounds warmed the code up
            for (var s = 0; s < seeds.Length; s++)
                seeds[s] = (edges.Item[(int)(WalkRandom.Stream(7, (round * 8) + s) % (ulong)edges.Item.Length)], 1f);
            walker.Walk(seeds, options, (ulong)round, scratch, top);
            steps += round < 0 ? 0 : scratch.Steps;
        }

        return (steps, watch.Elapsed.TotalSeconds);
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
