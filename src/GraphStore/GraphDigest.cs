using System.Globalization;
using System.Runtime.InteropServices;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// An order-independent fingerprint of a set of interactions: how many, and the wrapping sum of a 64-bit hash of each
/// (user id, item id, event id, type, value, time). The same events give the same digest in any order, from Postgres or straight
/// from the input, so "nothing lost, nothing doubled" is one string comparison. Not keyed: it detects faults, not attackers.
/// An event's identity is (user, time, event_id); whoever feeds raw input must skip repeats of it, as <see cref="Of"/> does.
/// </summary>
public struct GraphDigest : IEquatable<GraphDigest>
{
    public long Count { get; private set; }
    public ulong Sum { get; private set; }

    /// <summary>The digest of the distinct events of a raw input. Keeps about 50 bytes per event to tell repeats.</summary>
    public static GraphDigest Of(IEnumerable<Interaction> input)
    {
        var seen = new HashSet<(string, long, UInt128)>();
        var digest = default(GraphDigest);
        foreach (var e in input)
        {
            if (seen.Add((e.UserId, e.TimeMs, e.EventId)))
                digest.Add(e);
        }

        return digest;
    }

    /// <summary>Cost O(id lengths), no allocation.</summary>
    public void Add(in Interaction e) => Add(HashId(e.UserId), HashId(e.ItemId), e.EventId, e.Type, e.Value, e.TimeMs);

    /// <summary>The same with ids hashed before by <see cref="HashId"/>, for readers that hold dense keys.</summary>
    public void Add(ulong user, ulong item, UInt128 eventId, byte type, float value, long timeMs)
    {
        var bits = float.IsNaN(value) ? 0x7fc00000u : BitConverter.SingleToUInt32Bits(value); // every NaN means "no value"
        var h = EventIds.Mix(user + 0x9e3779b97f4a7c15UL);
        h = EventIds.Mix(h ^ item);
        h = EventIds.Mix(h + (ulong)eventId);
        h = EventIds.Mix(h ^ (ulong)(eventId >> 64));
        h = EventIds.Mix(h + (((ulong)type << 32) | bits));
        Sum += EventIds.Mix(h ^ (ulong)timeMs);
        Count++;
    }

    /// <summary>Adds another part of the same graph, for readers that work in parallel.</summary>
    public void Add(in GraphDigest other)
    {
        Count += other.Count;
        Sum += other.Sum;
    }

    public static ulong HashId(string id) => (ulong)EventIds.Hash(MemoryMarshal.AsBytes(id.AsSpan()));

    /// <summary><c>{count}-{sum in 16 hex digits}</c>.</summary>
    public override readonly string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Count}-{Sum:x16}");

    public readonly bool Equals(GraphDigest other) => Count == other.Count && Sum == other.Sum;

    public override readonly bool Equals(object? obj) => obj is GraphDigest other && Equals(other);

    public override readonly int GetHashCode() => HashCode.Combine(Count, Sum);

    public static bool operator ==(GraphDigest left, GraphDigest right) => left.Equals(right);

    public static bool operator !=(GraphDigest left, GraphDigest right) => !left.Equals(right);
}
