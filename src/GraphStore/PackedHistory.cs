using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// A person's newest events as one Redis string, about 12 bytes per event where a sorted set takes 20: 4 bytes that change with the content,
/// then per event, newest first: milliseconds before the one above it (the first: since 1970) as a varint, and its body: a byte of type and
/// kind of value, the value, the item id's length and its UTF-8 bytes. Of equal bodies the latest is kept, so the same events give the same
/// bytes in any order, merged in any portions, any of them more than once.
/// </summary>
internal static class PackedHistory
{
    /// <summary>Bytes at the start that tell one content from another: what a compare-and-set compares.</summary>
    public const int VersionBytes = 4;

    private const int TypeMask = 31, NoValue = 0, SmallValue = 1 << 5, FloatValue = 2 << 5, LongestHead = 2 + sizeof(float) + 10;

    /// <summary>An event whose body lies in the old bytes, or in those encoded for the merge.</summary>
    private readonly record struct Entry(long TimeMs, int Start, int Length, bool IsNew);

    /// <summary>The events, newest first. O(bytes).</summary>
    public static List<RecentEvent> Read(ReadOnlySpan<byte> packed, int count = int.MaxValue)
    {
        var events = new List<RecentEvent>();
        var time = 0L;
        for (var at = VersionBytes; at < packed.Length && events.Count < count;)
        {
            var step = (long)Varint(packed, ref at);
            time = events.Count == 0 ? step : time - step;
            var head = packed[at];
            var value = Value(packed, ref at);
            var length = (int)Varint(packed, ref at);
            events.Add(new RecentEvent(Encoding.UTF8.GetString(packed.Slice(at, length)), (byte)(head & TypeMask), value, time));
            at += length;
        }

        return events;
    }

    /// <summary>The history with further events in it, the newest <paramref name="limit"/> kept. O(n × further events); allocates the result only.</summary>
    public static byte[] Merge(ReadOnlySpan<byte> packed, IReadOnlyList<RecentEvent> more, int limit)
    {
        var entries = ArrayPool<Entry>.Shared.Rent(Math.Max(0, packed.Length / 4) + more.Count);
        var bodies = ArrayPool<byte>.Shared.Rent(more.Sum(e => Encoding.UTF8.GetMaxByteCount(e.ItemId.Length) + LongestHead));
        try
        {
            var count = Parse(packed, entries);
            var used = 0;
            foreach (var e in more)
            {
                var length = WriteBody(bodies.AsSpan(used), e);
                Place(new Entry(e.TimeMs, used, length, IsNew: true), entries, ref count, packed, bodies);
                used += length;
            }

            return Write(entries.AsSpan(0, Math.Min(count, limit)), packed, bodies);
        }
        finally
        {
            ArrayPool<Entry>.Shared.Return(entries);
            ArrayPool<byte>.Shared.Return(bodies);
        }
    }

    private static int Parse(ReadOnlySpan<byte> packed, Entry[] entries)
    {
        var (count, time) = (0, 0L);
        for (var at = VersionBytes; at < packed.Length; count++)
        {
            var step = (long)Varint(packed, ref at);
            time = count == 0 ? step : time - step;
            var start = at;
            Value(packed, ref at);
            var length = (int)Varint(packed, ref at);
            at += length;
            entries[count] = new Entry(time, start, at - start, IsNew: false);
        }

        return count;
    }

    /// <summary>Puts an entry where its time belongs; an equal body stays or goes, whichever is later.</summary>
    private static void Place(in Entry entry, Entry[] entries, ref int count, ReadOnlySpan<byte> packed, byte[] bodies)
    {
        var body = bodies.AsSpan(entry.Start, entry.Length);
        for (var i = 0; i < count; i++)
        {
            if (entries[i].Length != entry.Length || !Body(entries[i], packed, bodies).SequenceEqual(body))
                continue;
            if (entries[i].TimeMs >= entry.TimeMs)
                return;
            entries.AsSpan(i + 1, count - i - 1).CopyTo(entries.AsSpan(i));
            count--;
            break;
        }

        var at = count;
        // Ties in the order of their bytes: any total order will do.
        while (at > 0 && (entries[at - 1].TimeMs < entry.TimeMs
            || (entries[at - 1].TimeMs == entry.TimeMs && Body(entries[at - 1], packed, bodies).SequenceCompareTo(body) > 0)))
        {
            at--;
        }

        entries.AsSpan(at, count - at).CopyTo(entries.AsSpan(at + 1));
        entries[at] = entry;
        count++;
    }

    private static byte[] Write(ReadOnlySpan<Entry> entries, ReadOnlySpan<byte> packed, byte[] bodies)
    {
        var length = VersionBytes;
        for (var i = 0; i < entries.Length; i++)
            length += VarintLength(Step(entries, i)) + entries[i].Length;
        var result = new byte[length];
        var at = VersionBytes;
        for (var i = 0; i < entries.Length; i++)
        {
            at += Varint(result.AsSpan(at), Step(entries, i));
            Body(entries[i], packed, bodies).CopyTo(result.AsSpan(at));
            at += entries[i].Length;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(result, (uint)EventIds.Hash(result.AsSpan(VersionBytes)));
        return result;
    }

    private static ulong Step(ReadOnlySpan<Entry> entries, int index) =>
        (ulong)(index == 0 ? entries[0].TimeMs : entries[index - 1].TimeMs - entries[index].TimeMs);

    private static ReadOnlySpan<byte> Body(in Entry entry, ReadOnlySpan<byte> packed, byte[] bodies) =>
        entry.IsNew ? bodies.AsSpan(entry.Start, entry.Length) : packed.Slice(entry.Start, entry.Length);

    private static int WriteBody(Span<byte> to, in RecentEvent e)
    {
        var small = e.Value is >= 0 and <= 255 && e.Value == (byte)e.Value && !float.IsNegative(e.Value);
        var at = 0;
        to[at++] = (byte)(e.Type | (float.IsNaN(e.Value) ? NoValue : small ? SmallValue : FloatValue));
        if (small)
        {
            to[at++] = (byte)e.Value;
        }
        else if (!float.IsNaN(e.Value))
        {
            BinaryPrimitives.WriteSingleLittleEndian(to[at..], e.Value);
            at += sizeof(float);
        }

        at += Varint(to[at..], (ulong)Encoding.UTF8.GetByteCount(e.ItemId));
        return at + Encoding.UTF8.GetBytes(e.ItemId, to[at..]);
    }

    private static float Value(ReadOnlySpan<byte> from, ref int at)
    {
        switch (from[at++] & ~TypeMask)
        {
            case NoValue:
                return float.NaN;
            case SmallValue:
                return from[at++];
            default:
                at += sizeof(float);
                return BinaryPrimitives.ReadSingleLittleEndian(from[(at - sizeof(float))..]);
        }
    }

    private static int VarintLength(ulong value) => (Math.Max(1, 64 - System.Numerics.BitOperations.LeadingZeroCount(value)) + 6) / 7;

    private static int Varint(Span<byte> to, ulong value)
    {
        var at = 0;
        for (; value > 127; value >>= 7)
            to[at++] = (byte)(value | 128);
        to[at++] = (byte)value;
        return at;
    }

    private static ulong Varint(ReadOnlySpan<byte> from, ref int at)
    {
        var (value, shift) = (0UL, 0);
        for (; from[at] > 127; shift += 7)
            value |= (ulong)(from[at++] & 127) << shift;
        return value | ((ulong)from[at++] << shift);
    }
}
