using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace StreamRec.Contracts;

/// <summary>
/// Interns ids that arrive as UTF-8: the same bytes give the same <see cref="string"/>, so a repeated id costs no allocation.
/// Bounded: when a generation is full it becomes the old one and the old one is dropped, so ids in use survive and at most
/// 2 x <see cref="Capacity"/> strings are held (about 70 bytes each for ids of 10 characters). Not thread-safe: one per decoder.
/// Ids are told apart by a 128-bit hash, keyed per process so that a producer cannot choose ids that collide: reading the string
/// to compare it would cost a cache miss per look-up, and two of 10^9 ids agree by chance once in 10^20 times.
/// </summary>
public sealed class Utf8IdPool
{
    private static readonly UInt128 Seed = BinaryPrimitives.ReadUInt128LittleEndian(RandomNumberGenerator.GetBytes(16));

    private Generation _young;
    private Generation _old;

    /// <param name="capacity">Ids per generation; at least 16.</param>
    public Utf8IdPool(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 16);
        Capacity = capacity;
        _young = new Generation(capacity);
        _old = new Generation(capacity);
    }

    public int Capacity { get; }

    /// <summary>The string of an id seen lately, or null. Cost O(length), no allocation.</summary>
    public string? Find(ReadOnlySpan<byte> utf8)
    {
        var hash = Hash(utf8);
        if (_young.Find(hash) is { } id)
            return id;
        if (_old.Find(hash) is not { } survivor)
            return null;
        Keep(hash, survivor);
        return survivor;
    }

    /// <summary>The string of these bytes, which must be valid UTF-8. Allocates only for an id not seen lately.</summary>
    public string Intern(ReadOnlySpan<byte> utf8)
    {
        if (Find(utf8) is { } known)
            return known;
        var id = Encoding.UTF8.GetString(utf8);
        Keep(Hash(utf8), id);
        return id;
    }

    private void Keep(UInt128 hash, string id)
    {
        if (_young.Count == Capacity)
        {
            (_young, _old) = (_old, _young);
            _young.Clear();
        }

        _young.Add(hash, id);
    }

    private static UInt128 Hash(ReadOnlySpan<byte> utf8)
    {
        ulong h1 = (ulong)Seed ^ ((ulong)utf8.Length * 0x9e3779b97f4a7c15UL), h2 = (ulong)(Seed >> 64);
        while (utf8.Length >= 8)
        {
            var k = BinaryPrimitives.ReadUInt64LittleEndian(utf8);
            h1 = EventIds.Mix(h1 ^ k);
            h2 = EventIds.Mix(h2 + k);
            utf8 = utf8[8..];
        }

        ulong tail = 0;
        for (var i = 0; i < utf8.Length; i++)
            tail |= (ulong)utf8[i] << (8 * i);
        return new UInt128(EventIds.Mix(h1 ^ tail), EventIds.Mix(h2 + tail));
    }

    /// <summary>Open addressing with linear probing at a load of at most one half.</summary>
    private sealed class Generation
    {
        private readonly (UInt128 Hash, string? Id)[] _slots;
        private readonly int _mask;

        public Generation(int capacity)
        {
            var size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity * 2);
            _slots = new (UInt128, string?)[size];
            _mask = size - 1;
        }

        public int Count { get; private set; }

        public string? Find(UInt128 hash)
        {
            for (var i = (int)(ulong)hash & _mask; ; i = (i + 1) & _mask)
            {
                ref readonly var slot = ref _slots[i];
                if (slot.Id is null || slot.Hash == hash)
                    return slot.Id;
            }
        }

        public void Add(UInt128 hash, string id)
        {
            var i = (int)(ulong)hash & _mask;
            while (_slots[i].Id is not null)
                i = (i + 1) & _mask;
            _slots[i] = (hash, id);
            Count++;
        }

        public void Clear()
        {
            Array.Clear(_slots);
            Count = 0;
        }
    }
}
