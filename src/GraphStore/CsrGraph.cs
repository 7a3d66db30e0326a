namespace StreamRec.GraphStore;

/// <summary>
/// The whole graph as compressed rows, both directions, immutable: what the trainer samples from. Edges of a user and of an item are in time order.
/// 21 bytes per edge by user (item, type, value, time, and the user itself) and 4 by item (an index into the user side, so that an item's
/// neighbour knows its place in the person's sequence).
/// </summary>
public sealed class CsrGraph
{
    private CsrGraph(int users, int items, int edges)
    {
        (UserStart, ItemStart) = (new int[users + 1], new int[items + 1]);
        (Item, User, Type, Value, TimeMs, ItemEdge) = (new int[edges], new int[edges], new byte[edges], new float[edges], new long[edges], new int[edges]);
    }

    public int Users => UserStart.Length - 1;
    public int Items => ItemStart.Length - 1;
    public int Edges => Item.Length;

    /// <summary>[users + 1]: user u's edges are UserStart[u] .. UserStart[u+1]-1, oldest first.</summary>
    public int[] UserStart { get; }

    /// <summary>[edges], by user.</summary>
    public int[] Item { get; }
    public int[] User { get; }
    public byte[] Type { get; }
    public float[] Value { get; }
    public long[] TimeMs { get; }

    /// <summary>[items + 1]: item i's entries in <see cref="ItemEdge"/>, oldest first.</summary>
    public int[] ItemStart { get; }

    /// <summary>[edges], by item: the edge's place in the arrays by user.</summary>
    public int[] ItemEdge { get; }

    /// <summary>O(edges) for a snapshot, whose edges are in time order already.</summary>
    public static CsrGraph Build(GraphSnapshot snapshot)
        => Build(snapshot.Users.Length, snapshot.Items.Length, snapshot.User, snapshot.Item, snapshot.Type, snapshot.Value, snapshot.TimeMs);

    /// <summary>Edges in any order; equal times keep their order. O(edges) when sorted by time, O(edges log edges) otherwise.</summary>
    /// <exception cref="ArgumentException">The arrays differ in length or an index is out of range.</exception>
    public static CsrGraph Build(int users, int items, int[] user, int[] item, byte[] type, float[] value, long[] timeMs)
    {
        var edges = user.Length;
        if (item.Length != edges || type.Length != edges || value.Length != edges || timeMs.Length != edges)
        {
            throw new ArgumentException(
                $"edge arrays differ in length: user {edges}, item {item.Length}, type {type.Length}, value {value.Length}, time {timeMs.Length}");
        }
        var graph = new CsrGraph(users, items, edges);
        for (var i = 0; i < edges; i++)
        {
            if ((uint)user[i] >= (uint)users || (uint)item[i] >= (uint)items)
                throw new ArgumentException($"edge {i} is ({user[i]}, {item[i]}), outside {users} users and {items} items");
            graph.UserStart[user[i] + 1]++;
            graph.ItemStart[item[i] + 1]++;
        }

        for (var u = 0; u < users; u++)
            graph.UserStart[u + 1] += graph.UserStart[u];
        for (var i = 0; i < items; i++)
            graph.ItemStart[i + 1] += graph.ItemStart[i];
        graph.Fill(InTime(timeMs), user, item, type, value, timeMs);
        return graph;
    }

    public ReadOnlySpan<int> ItemsOf(int user) => Item.AsSpan(UserStart[user], UserStart[user + 1] - UserStart[user]);

    public int UserDegree(int user) => UserStart[user + 1] - UserStart[user];

    public int ItemDegree(int item) => ItemStart[item + 1] - ItemStart[item];

    /// <summary>How many of the user's edges are older than <paramref name="beforeMs"/>. O(log degree).</summary>
    public int UserDegreeBefore(int user, long beforeMs)
    {
        var (low, high) = (UserStart[user], UserStart[user + 1]);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            (low, high) = TimeMs[middle] < beforeMs ? (middle + 1, high) : (low, middle);
        }

        return low - UserStart[user];
    }

    /// <summary>How many of the item's edges are older than <paramref name="beforeMs"/>. O(log degree).</summary>
    public int ItemDegreeBefore(int item, long beforeMs)
    {
        var (low, high) = (ItemStart[item], ItemStart[item + 1]);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            (low, high) = TimeMs[ItemEdge[middle]] < beforeMs ? (middle + 1, high) : (low, middle);
        }

        return low - ItemStart[item];
    }

    private void Fill(int[]? order, int[] user, int[] item, byte[] type, float[] value, long[] timeMs)
    {
        var (atUser, atItem) = (UserStart[..^1], ItemStart[..^1]);
        for (var i = 0; i < user.Length; i++)
        {
            var edge = order is null ? i : order[i];
            var at = atUser[user[edge]]++;
            (Item[at], User[at], Type[at], Value[at], TimeMs[at]) = (item[edge], user[edge], type[edge], value[edge], timeMs[edge]);
            ItemEdge[atItem[item[edge]]++] = at;
        }
    }

    /// <summary>Null when the times already ascend; else the stable order that makes them.</summary>
    private static int[]? InTime(long[] timeMs)
    {
        var sorted = true;
        for (var i = 1; i < timeMs.Length && sorted; i++)
            sorted = timeMs[i] >= timeMs[i - 1];
        if (sorted)
            return null;
        var order = new int[timeMs.Length];
        for (var i = 0; i < order.Length; i++)
            order[i] = i;
        Array.Sort(order, (a, b) => timeMs[a] != timeMs[b] ? timeMs[a].CompareTo(timeMs[b]) : a.CompareTo(b));
        return order;
    }
}
