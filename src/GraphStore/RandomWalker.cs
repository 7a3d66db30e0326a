using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
                node[lane] = random.Next() >> 32 < restart ? seed : item;
            }
        }

        return touched;
    }

    /// <summary>One step of all lanes: every lane's node becomes a random neighbour of it, or -1.</summary>
    private void Hop(HeaderTable table, HeaderTable nextTable, bool users, int newest, ref WalkRandom random, WalkScratch scratch, int lanes)
    {
        var node = scratch.Node.AsSpan(0, lanes);
        var cell = scratch.Cell.AsSpan(0, lanes);
        var from = default(LaneArrays); // on the stack: storing a reference there needs no write barrier
        var newestSlot = graph.NewestSlot;
        var byAge = (Vector256.Create(newestSlot) - Vector256<int>.Indices) & Vector256.Create(LiveGraph.Slots - 1);
        var limit = newest > 0 ? newest : int.MaxValue;
        Span<Link> linked = stackalloc Link[WalkScratch.Lanes];
        var waiting = 0;
        for (var lane = 0; lane < node.Length; lane++)
        {
            cell[lane] = -1;
            if (node[lane] < 0)
                continue;
            ref var row = ref table.Row(node[lane]);
            ref var header = ref PickSegment(ref row, byAge, newestSlot, limit, ref random, out var back);
            if (!graph.TryResolve(ref header, out var segment, out var position, out var degree) || back >= degree)
                continue; // no edges; or dropped, or shortened by an erasure, between the two reads
            var pool = users ? segment.Users : segment.Items;
            var array = pool.Neighbours;
            from[lane] = array;
            var at = cell[lane] = pool.CellOrLink(position, degree, degree - 1 - back, out var links, out var rest);
            if (links > 0)
                linked[waiting++] = new Link(lane, links, rest);
            Memory.Prefetch(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(array), at));
        }

        while (waiting > 0)
            waiting = FollowLinks(linked[..waiting], cell, ref from);
        scratch.Steps += lanes;
        for (var lane = 0; lane < node.Length; lane++)
        {
            var next = cell[lane] < 0 ? -1 : from[lane]![cell[lane]];
            node[lane] = next;
            if (next >= 0)
                Memory.Prefetch(ref nextTable.Row(next));
        }
    }

    /// <summary>Each lane that waits for an older slice of a growing pool goes one link back; those that arrive no longer wait.</summary>
    private static int FollowLinks(Span<Link> linked, Span<int> cell, ref LaneArrays from)
    {
        var waiting = 0;
        foreach (var (lane, links, rest) in linked)
        {
            var array = from[lane]!;
            var position = array[cell[lane]];
            var at = cell[lane] = links > 1 ? position - 1 : position + rest;
            if (links > 1)
                linked[waiting++] = new Link(lane, links - 1, rest);
            Memory.Prefetch(ref array[at]);
        }

        return waiting;
    }

    /// <summary>
    /// Draws an edge among a node's newest: the header of its segment and how many of that segment's edges are newer than it. The eight degrees
    /// are summed up and searched in registers, without a branch that depends on the draw. They need not be consistent with each other: the
    /// caller checks the draw against the header it reads together with the storage.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref long PickSegment(ref long row, Vector256<int> byAge, int newestSlot, int limit, ref WalkRandom random, out int back)
    {
        var low = Vector256.LoadUnsafe(ref row) >>> 32;
        var high = Vector256.LoadUnsafe(ref row, 4) >>> 32;
        var degrees = Vector256.Shuffle(Vector256.Narrow(low, high) & Vector256.Create(NodeHeader.MaxDegree), byAge);
        // Running sums, newest segment first: an index beyond 7 shuffles in a zero.
        var upTo = degrees + Vector256.Shuffle(degrees, Vector256.Create(8, 0, 1, 2, 3, 4, 5, 6));
        upTo += Vector256.Shuffle(upTo, Vector256.Create(8, 8, 0, 1, 2, 3, 4, 5));
        upTo += Vector256.Shuffle(upTo, Vector256.Create(8, 8, 8, 8, 0, 1, 2, 3));
        var draw = random.Below(Math.Min(upTo.GetElement(7), limit));
        var newer = Vector256.LessThanOrEqual(upTo, Vector256.Create(draw));
        back = draw - Vector256.Sum(degrees & newer);
        var age = BitOperations.PopCount(newer.ExtractMostSignificantBits());
        return ref Unsafe.Add(ref row, (newestSlot - age) & (LiveGraph.Slots - 1));
    }

    /// <summary>A lane whose cell is that of a link: so many links until the slice, in which the edge is so far from the start.</summary>
    private readonly record struct Link(int Lane, int Links, int Rest);

    [InlineArray(WalkScratch.Lanes)]
    private struct LaneArrays
    {
        private int[]? _first;
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
}
