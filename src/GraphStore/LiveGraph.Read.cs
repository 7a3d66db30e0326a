using System.Runtime.CompilerServices;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

public sealed partial class LiveGraph
{
    /// <summary>
    /// The user's last arrived edges, sorted newest event time first (of equal times the later arrival first). O(edges returned).
    /// </summary>
    /// <returns>How many were written to <paramref name="newestFirst"/>: its length, or all the user has in the window.</returns>
    public int Recent(int user, Span<UserEvent> newestFirst)
    {
        var count = 0;
        ref var row = ref UserHeaders.Row(user);
        var newest = NewestSlot;
        for (var age = 0; age < Slots && count < newestFirst.Length; age++)
        {
            if (!TryResolve(ref Unsafe.Add(ref row, (newest - age) & (Slots - 1)), out var segment, out var position, out var degree))
                continue;
            var pool = segment.Users;
            var (items, infos) = (pool.Neighbours, pool.Infos);
            for (var edge = degree - 1; edge >= 0 && count < newestFirst.Length;)
            {
                pool.RunOf(items, position, degree, edge, out var first, out var start);
                for (; edge >= first && count < newestFirst.Length; edge--)
                {
                    var (item, info) = (items[start + edge - first], infos[start + edge - first]);
                    if (item != Erased)
                        newestFirst[count++] = new UserEvent(item, EdgeInfo.Type(info), _info.Value(info), EdgeInfo.TimeMs(info));
                }
            }
        }

        SortByTime(newestFirst[..count]);
        return count;
    }

    /// <summary>Whether the window holds an edge between the two. O(degree of the user), vectorised.</summary>
    public bool HasSeen(int user, int item)
    {
        ref var row = ref UserHeaders.Row(user);
        for (var slot = 0; slot < Slots; slot++)
        {
            if (!TryResolve(ref Unsafe.Add(ref row, slot), out var segment, out var position, out var degree))
                continue;
            var pool = segment.Users;
            var items = pool.Neighbours;
            for (var edge = degree - 1; edge >= 0;)
            {
                pool.RunOf(items, position, degree, edge, out var first, out var start);
                if (items.AsSpan(start, edge - first + 1).Contains(item))
                    return true;
                edge = first - 1;
            }
        }

        return false;
    }

    /// <summary>Edges of the user in the window, repeats counted. O(1).</summary>
    public int UserDegree(int user) => Degree(ref UserHeaders.Row(user));

    /// <summary>Edges of the item in the window, repeats counted. O(1).</summary>
    public int ItemDegree(int item) => Degree(ref ItemHeaders.Row(item));

    /// <summary>The users of an item's last arrived edges, latest arrival first, repeats included. O(edges returned).</summary>
    public int ItemUsers(int item, Span<int> newestFirst)
    {
        var count = 0;
        ref var row = ref ItemHeaders.Row(item);
        var newest = NewestSlot;
        for (var age = 0; age < Slots && count < newestFirst.Length; age++)
        {
            if (!TryResolve(ref Unsafe.Add(ref row, (newest - age) & (Slots - 1)), out var segment, out var position, out var degree))
                continue;
            var pool = segment.Items;
            var users = pool.Neighbours;
            for (var edge = degree - 1; edge >= 0 && count < newestFirst.Length;)
            {
                pool.RunOf(users, position, degree, edge, out var first, out var start);
                for (; edge >= first && count < newestFirst.Length; edge--)
                {
                    if (users[start + edge - first] is var user && user != Erased)
                        newestFirst[count++] = user;
                }
            }
        }

        return count;
    }

    /// <summary>
    /// The storage a header points into. The header is read again after the storage was found: unchanged means that its tag meant this storage.
    /// A tag without storage and an unchanged header mean a dropped segment.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryResolve(ref long header, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out LiveSegment? segment, out int position, out int degree)
    {
        while (true)
        {
            var seen = Volatile.Read(ref header);
            (position, degree) = (NodeHeader.Position(seen), NodeHeader.Degree(seen));
            segment = Volatile.Read(ref _segments[NodeHeader.Tag(seen)]);
            if (Volatile.Read(ref header) == seen)
                return segment is not null;
        }
    }

    private int Degree(ref long row)
    {
        var sum = 0;
        for (var slot = 0; slot < Slots; slot++)
        {
            if (TryResolve(ref Unsafe.Add(ref row, slot), out _, out _, out var degree))
                sum += degree;
        }

        return sum;
    }

    /// <summary>Insertion sort: arrivals are nearly in time order, and it keeps the order of equal times.</summary>
    private static void SortByTime(Span<UserEvent> events)
    {
        for (var i = 1; i < events.Length; i++)
        {
            var moved = events[i];
            var at = i;
            for (; at > 0 && events[at - 1].TimeMs < moved.TimeMs; at--)
                events[at] = events[at - 1];
            events[at] = moved;
        }
    }
}
