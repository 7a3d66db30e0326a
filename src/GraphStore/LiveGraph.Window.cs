using System.Runtime.CompilerServices;

namespace StreamRec.GraphStore;

public sealed partial class LiveGraph
{
    /// <summary>
    /// Drops the oldest segment, compacts the full one and opens a new one in the oldest's slot. Headers are rewritten one by one, each in one
    /// store; until the last is over both the growing and the compact storage are registered, so a reader finds every edge in one of them.
    /// </summary>
    private void Rotate()
    {
        var (full, slot, next) = (_active, _slot, (_slot + 1) % Slots);
        if (_window[next] is { } oldest)
        {
            Volatile.Write(ref _segments[oldest.Tag], null); // gone for readers, whole
            _window[next] = null;
            Volatile.Write(ref _edges, _edges - oldest.Live);
        }

        var frozen = LiveSegment.Frozen(full);
        Register(frozen);
        Parallel.Invoke(
            () => Freeze(UserHeaders, full, full.Users, frozen, frozen.Users, slot, next),
            () => Freeze(ItemHeaders, full, full.Items, frozen, frozen.Items, slot, next));
        _window[slot] = frozen;
        Volatile.Write(ref _segments[full.Tag], null);
        // The last segment's use is the best guess for the next one's; growing costs a copy.
        _active = Open(next, LiveSegment.Growing(full.Users.Used + (full.Users.Used / 16), full.Items.Used + (full.Items.Used / 16)));
    }

    private static void Freeze(HeaderTable headers, LiveSegment full, EdgePool from, LiveSegment frozen, EdgePool to, int slot, int next)
    {
        const int Ahead = 16; // nodes whose edges are fetched while those of the nodes before are copied
        for (var node = 0; node < headers.Nodes; node++)
        {
            ref var row = ref headers.Row(node);
            // The dropped segment's header must go before its tag can return.
            Unsafe.Add(ref row, next) = 0;
            ref var header = ref Unsafe.Add(ref row, slot);
            var ahead = Unsafe.Add(ref headers.Row(node + Ahead), slot);
            if (NodeHeader.Tag(ahead) == full.Tag)
                from.PrefetchRun(NodeHeader.Position(ahead));
            if (NodeHeader.Tag(header) != full.Tag)
                continue;
            var degree = NodeHeader.Degree(header);
            var position = to.AppendRun(degree);
            from.CopyRun(NodeHeader.Position(header), degree, to, position);
            Volatile.Write(ref header, NodeHeader.Pack(frozen.Tag, degree, position));
        }
    }

    /// <summary>
    /// Writer. Erases a person: their edges in both directions and their id; the dense index is not given again. Cost: the degrees of
    /// their items. A concurrent reader may still see an edge it had begun to read.
    /// </summary>
    /// <returns>Edges removed.</returns>
    public int RemoveUser(int user)
    {
        if ((uint)user < (uint)UserCount)
            _userIds.Forget(user);
        var removed = 0;
        for (var slot = 0; slot < Slots; slot++)
        {
            ref var header = ref Unsafe.Add(ref UserHeaders.Row(user), slot);
            if (_window[slot] is not { } segment || NodeHeader.Tag(header) != segment.Tag)
                continue;
            var (position, degree) = (NodeHeader.Position(header), NodeHeader.Degree(header));
            Volatile.Write(ref header, 0);
            var items = segment.Users.Neighbours;
            for (var edge = 0; edge < degree; edge++)
            {
                var cell = segment.Users.CellOf(items, position, degree, edge);
                RemoveFromItem(segment, ref Unsafe.Add(ref ItemHeaders.Row(items[cell]), slot), user);
                segment.Users.Write(cell, Erased, 0);
            }

            segment.Live -= degree;
            removed += degree;
        }

        Volatile.Write(ref _edges, _edges - removed);
        return removed;
    }

    /// <summary>What a cell holds after an erasure; readers that come across it skip it.</summary>
    internal const int Erased = -1;

    private static void RemoveFromItem(LiveSegment segment, ref long header, int user)
    {
        var (position, degree) = (NodeHeader.Position(header), NodeHeader.Degree(header));
        if (degree == 0 || NodeHeader.Tag(header) != segment.Tag)
            return; // all of this item's edges were the user's
        var pool = segment.Items;
        var users = pool.Neighbours;
        var kept = 0;
        for (var edge = 0; edge < degree; edge++)
        {
            var other = users[pool.CellOf(users, position, degree, edge)];
            if (other != user)
                users[pool.CellOf(users, position, degree, kept++)] = other;
        }

        if (kept == degree)
            return; // the user had this item twice: done the first time
        // Readers with the older header find these cells erased, not another user's.
        for (var edge = kept; edge < degree; edge++)
            users[pool.CellOf(users, position, degree, edge)] = Erased;
        // A growing pool must not find its next slice from a shorter degree: it keeps the slice the position is in.
        Volatile.Write(ref header, kept == 0 ? 0 : NodeHeader.Pack(segment.Tag, kept, pool.PositionFor(users, position, degree, kept)));
    }
}
