using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace StreamRec.GraphStore;

/// <summary>
/// Personal candidates by random walks on a <see cref="LiveGraph"/>, after Pixie (Eksombatchai et al., arXiv 1711.07601): several seed items
/// with weights; walks per seed grow with the seed's degree, sublinearly; an item found from several seeds is boosted, (Σ √visits)²; a seed
/// stops early once enough candidates are sure. Thread-safe: each thread brings its own scratch. No allocation per walk.
/// <para>32 walks advance in lock-step and prefetch what they read next, because a step is two cache misses and nothing else.</para>
/// </summary>
public sealed class RandomWalker(LiveGraph graph)
{
    /// <summary>Walks from the seeds and writes the best items, best first (equal scores: lower index first); the seeds themselves are left out.</summary>
    /// <param name="seeds">Items with positive weights; the share of walks each gets. Unknown or untouched items are passed over.</param>
    /// <param name="options">Bounds of the work.</param>
    /// <param name="seed">The same seed on the same graph gives the same candidates.</param>
    /// <param name="scratch">Buffers of this thread.</param>
    /// <param name="top">Receives the candidates.</param>
    /// <returns>How many were written.</returns>
    public int Walk(ReadOnlySpan<(int Item, float Weight)> seeds, WalkOptions options, ulong seed, WalkScratch scratch, Span<WalkCandidate> top)
    {
        scratch.Prepare(graph.ItemHeaders.Nodes);
        var random = new WalkRandom(seed);
        var maxDegree = 1;
        foreach (var (item, _) in seeds)
            maxDegree = Math.Max(maxDegree, graph.ItemDegree(item));
        double total = 0;
        foreach (var (item, weight) in seeds)
            total += Share(item, weight, maxDegree);
        var touched = 0;
        foreach (var (item, weight) in seeds)
        {
            var share = Share(item, weight, maxDegree);
            if (share > 0)
                touched = Fold(scratch, touched, WalkSeed(item, Math.Max(1, (int)(options.Visits * share / total)), options, ref random, scratch));
        }

        foreach (var (item, _) in seeds)
        {
            if ((uint)item < (uint)scratch.Roots.Length)
                scratch.Roots[item] = 0;
        }

        Array.Clear(scratch.From); // a scratch at rest must not keep a dropped segment alive
        return Best(scratch, touched, top);
    }

    /// <summary>Walks of a seed in proportion to weight × degree × (1 + ln(max degree) - ln(degree)): popular seeds get more, but not all.</summary>
    private double Share(int item, float weight, int maxDegree)
    {
        var degree = graph.ItemDegree(item);
        return degree == 0 || !(weight > 0) ? 0 : weight * degree * (1 + Math.Log((double)maxDegree / degree));
    }

    private int WalkSeed(int seed, int visits, WalkOptions options, ref WalkRandom random, WalkScratch scratch)
    {
        var lanes = Math.Min(WalkScratch.Lanes, visits);
        var node = scratch.Node.AsSpan(0, lanes);
        node.Fill(seed);
        var (touched, sure) = (0, 0);
        var stopAt = options.StopCandidates > 0 ? options.StopCandidates : int.MaxValue;
        var restart = (ulong)(Math.Clamp(options.Restart, 0f, 1f) * (1L << 32));
        for (var done = 0; done < visits && sure < stopAt; done += lanes)
        {
            Hop(graph.ItemHeaders, graph.UserHeaders, users: false, options.NewestOfItem, ref random, scratch, lanes);
            Hop(graph.UserHeaders, graph.ItemHeaders, users: true, options.NewestOfUser, ref random, scratch, lanes);
            for (var lane = 0; lane < node.Length; lane++)
            {
                var item = node[lane];
                if ((uint)item >= (uint)scratch.SeedVisits.Length)
                {
                    node[lane] = seed; // an erased edge, a dropped segment or an item newer than this walk
                    continue;
                }

                var count = ++scratch.SeedVisits[item];
                if (count == 1)
                    scratch.SeedTouched[touched++] = item;
                if (count == options.StopVisits)
                    sure++;
                if (random.Next() >> 32 < restart)
                    node[lane] = seed;
            }
        }

        return touched;
    }

    /// <summary>One step of all lanes: every lane's node becomes a random neighbour of it, or -1.</summary>
    private void Hop(HeaderTable table, HeaderTable nextTable, bool users, int newest, ref WalkRandom random, WalkScratch scratch, int lanes)
    {
        var node = scratch.Node.AsSpan(0, lanes);
        var cell = scratch.Cell.AsSpan(0, lanes);
        var from = scratch.From.AsSpan(0, lanes);
        for (var lane = 0; lane < node.Length; lane++)
        {
            cell[lane] = node[lane] < 0 ? -1 : Pick(ref table.Row(node[lane]), users, newest, ref random, out from[lane]);
            if (cell[lane] >= 0)
                Prefetch(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(from[lane]!), cell[lane]));
        }

        scratch.Steps += lanes;
        for (var lane = 0; lane < node.Length; lane++)
        {
            var next = cell[lane] < 0 ? -1 : from[lane]![cell[lane]];
            node[lane] = next;
            if (next >= 0)
                Prefetch(ref nextTable.Row(next));
        }
    }

    /// <summary>A uniformly random edge among the newest of a node: the array and the cell that hold it; -1 when there is none.</summary>
    private int Pick(ref long row, bool users, int newest, ref WalkRandom random, out int[]? from)
    {
        from = null;
        var total = 0;
        for (var slot = 0; slot < LiveGraph.Slots; slot++)
            total += NodeHeader.Degree(Volatile.Read(ref Unsafe.Add(ref row, slot)));
        if (total == 0)
            return -1;
        // Counted from the newest edge backwards, so that "newest" is a prefix.
        var back = random.Below(newest > 0 ? Math.Min(total, newest) : total);
        var slotOf = graph.NewestSlot;
        for (var age = 0; age < LiveGraph.Slots; age++, slotOf = (slotOf - 1) & (LiveGraph.Slots - 1))
        {
            ref var header = ref Unsafe.Add(ref row, slotOf);
            var degree = NodeHeader.Degree(Volatile.Read(ref header));
            if (back >= degree)
            {
                back -= degree;
                continue;
            }

            if (!graph.TryResolve(ref header, out var segment, out var position, out degree) || back >= degree)
                return -1; // dropped, or shortened by an erasure, between the two reads
            var pool = users ? segment.Users : segment.Items;
            from = pool.Neighbours;
            return pool.CellOf(from, position, degree, degree - 1 - back);
        }

        return -1;
    }

    private static int Fold(WalkScratch scratch, int touched, int seedTouched)
    {
        foreach (var item in scratch.SeedTouched.AsSpan(0, seedTouched))
        {
            if (scratch.Visits[item] == 0)
                scratch.Touched[touched++] = item;
            scratch.Visits[item] += scratch.SeedVisits[item];
            scratch.Roots[item] += MathF.Sqrt(scratch.SeedVisits[item]);
            scratch.SeedVisits[item] = 0;
        }

        return touched;
    }

    /// <summary>Selects the best with a heap in the caller's span (worst on top), sorts it, and leaves the scratch clean.</summary>
    private static int Best(WalkScratch scratch, int touched, Span<WalkCandidate> top)
    {
        var count = 0;
        foreach (var item in scratch.Touched.AsSpan(0, touched))
        {
            var candidate = new WalkCandidate(item, scratch.Roots[item] * scratch.Roots[item], scratch.Visits[item]);
            (scratch.Roots[item], scratch.Visits[item]) = (0, 0);
            if (candidate.Score <= 0)
                continue;
            if (count < top.Length)
            {
                top[count] = candidate;
                for (var at = count++; at > 0 && Better(top[(at - 1) / 2], top[at]); at = (at - 1) / 2)
                    (top[at], top[(at - 1) / 2]) = (top[(at - 1) / 2], top[at]);
            }
            else if (count > 0 && Better(candidate, top[0]))
            {
                top[0] = candidate;
                SiftDown(top[..count]);
            }
        }

        top[..count].Sort(static (a, b) => Better(a, b) ? -1 : Better(b, a) ? 1 : 0);
        return count;
    }

    private static void SiftDown(Span<WalkCandidate> heap)
    {
        for (var at = 0; ;)
        {
            var worst = at;
            for (var child = (2 * at) + 1; child <= (2 * at) + 2 && child < heap.Length; child++)
            {
                if (Better(heap[worst], heap[child]))
                    worst = child;
            }

            if (worst == at)
                return;
            (heap[at], heap[worst]) = (heap[worst], heap[at]);
            at = worst;
        }
    }

    private static bool Better(in WalkCandidate a, in WalkCandidate b) => a.Score > b.Score || (a.Score == b.Score && a.Item < b.Item);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Prefetch<T>(ref T at)
        where T : unmanaged
    {
        // A prefetch of a moved or freed address is harmless, so the reference need not be pinned.
        if (Sse.IsSupported)
            Sse.Prefetch0(Unsafe.AsPointer(ref at));
    }
}
