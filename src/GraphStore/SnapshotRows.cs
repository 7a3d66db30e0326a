using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// Interactions on their way into a <see cref="GraphSnapshot"/>: collected in chunks (nothing is copied while they grow), then put into columns in the
/// order of the snapshot. 21 bytes per interaction; about 45 while they are sorted.
/// </summary>
internal sealed class SnapshotRows
{
    private const int ChunkRows = 1 << 16;
    private readonly List<Chunk> _chunks = [];
    private int _inLast = ChunkRows;

    public int Count => Math.Max(0, ((_chunks.Count - 1) * ChunkRows) + _inLast);

    public void Add(int user, int item, byte type, float value, long timeMs)
    {
        if (_inLast == ChunkRows)
        {
            _chunks.Add(new Chunk());
            _inLast = 0;
        }

        var chunk = _chunks[^1];
        var at = _inLast++;
        (chunk.User[at], chunk.Item[at], chunk.Type[at], chunk.Value[at], chunk.TimeMs[at]) = (user, item, type, value, timeMs);
    }

    /// <summary>
    /// Fills the snapshot's columns from the parts, by time; of the same moment by a hash of what the event says, which neither depends on the way it came
    /// nor prefers any item. The parts are empty afterwards. O(n) where they are in time order already, as a log that was followed is.
    /// </summary>
    public static GraphSnapshot Into(GraphSnapshot snapshot, SnapshotRows[] parts)
    {
        var count = parts.Sum(p => p.Count);
        var (user, item, type, value, time) = (new int[count], new int[count], new byte[count], new float[count], new long[count]);
        var at = 0;
        foreach (var part in parts)
        {
            for (var c = 0; c < part._chunks.Count; c++)
            {
                var rows = Math.Min(ChunkRows, part.Count - (c * ChunkRows));
                var chunk = part._chunks[c];
                chunk.User.AsSpan(0, rows).CopyTo(user.AsSpan(at));
                chunk.Item.AsSpan(0, rows).CopyTo(item.AsSpan(at));
                chunk.Type.AsSpan(0, rows).CopyTo(type.AsSpan(at));
                chunk.Value.AsSpan(0, rows).CopyTo(value.AsSpan(at));
                chunk.TimeMs.AsSpan(0, rows).CopyTo(time.AsSpan(at));
                at += rows;
            }

            part._chunks.Clear();
            part._inLast = ChunkRows;
        }

        snapshot = snapshot with { User = user, Item = item, Type = type, Value = value, TimeMs = time };
        return Order(snapshot) is not { } order ? snapshot : snapshot with
        {
            User = Gather(user, order), Item = Gather(item, order), Type = Gather(type, order), Value = Gather(value, order),
        };
    }

    /// <summary>Sorts the times; the answer is where each row came from, or null where none moved.</summary>
    private static int[]? Order(GraphSnapshot snapshot)
    {
        var time = snapshot.TimeMs;
        var order = new int[time.Length];
        for (var i = 0; i < order.Length; i++)
            order[i] = i;
        var moved = !InOrder(time);
        if (moved)
            Array.Sort(time, order);
        Comparison<int>? byContent = null;
        for (int from = 0, to; from < time.Length; from = to)
        {
            for (to = from + 1; to < time.Length && time[to] == time[from];)
                to++;
            if (to - from == 1)
                continue;
            order.AsSpan(from, to - from).Sort(byContent ??= ByContent(snapshot));
            moved = true;
        }

        return moved ? order : null;
    }

    private static bool InOrder(long[] time)
    {
        for (var i = 1; i < time.Length; i++)
        {
            if (time[i] < time[i - 1])
                return false;
        }

        return true;
    }

    private static Comparison<int> ByContent(GraphSnapshot snapshot)
    {
        ulong[] users = [.. snapshot.Users.Select(id => (ulong)EventIds.Hash(id))], items = [.. snapshot.Items.Select(i => (ulong)EventIds.Hash(i.ItemId))];
        return (a, b) => Key(a).CompareTo(Key(b));

        // Rows with the same key say the same, but for one pair of different ones in 2^64: whichever comes first, the arrays are the same.
        ulong Key(int row) => EventIds.Mix(
            EventIds.Mix(EventIds.Mix(users[snapshot.User[row]]) ^ items[snapshot.Item[row]])
            ^ ((ulong)snapshot.Type[row] << 32)
            ^ BitConverter.SingleToUInt32Bits(snapshot.Value[row]));
    }

    private static T[] Gather<T>(T[] from, int[] order)
    {
        var to = new T[from.Length];
        for (var i = 0; i < to.Length; i++)
            to[i] = from[order[i]];
        return to;
    }

    private sealed class Chunk
    {
        public int[] User { get; } = new int[ChunkRows];
        public int[] Item { get; } = new int[ChunkRows];
        public byte[] Type { get; } = new byte[ChunkRows];
        public float[] Value { get; } = new float[ChunkRows];
        public long[] TimeMs { get; } = new long[ChunkRows];
    }
}
