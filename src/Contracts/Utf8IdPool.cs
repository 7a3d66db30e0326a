using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace StreamRec.Contracts;

/// <summary>
/// Interns ids that arrive as UTF-8: the same bytes give the same <see cref="string"/>, so a repeated id costs no allocation.
/// Bounded: when a generation is full it becomes the old one and the old one is dropped, so ids in use survive and at most
/// 2 x <see cref="Capacity"/> strings are held (about 70 bytes each for ids of 10 characters). Not thread-safe: one per decoder.
/// The hash is keyed per process, so that a producer cannot choose ids that share a slot; equal hashes are told apart by the text itself.
/// </summary>
public sealed class Utf8IdPool
{
    private static readonly ulong Seed = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8));

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
        if (_young.Find(hash, utf8) is { } id)
            return id;
        if (_old.Find(hash, utf8) is not { } survivor)
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

    private void Keep(ulong hash, string id)
    {
        if (_young.Count == Capacity)
        {
            (_young, _old) = (_old, _young);
            _young.Clear();
        }

        _young.Add(hash, id);
    }

    private static ulong Hash(ReadOnlySpan<byte> utf8)
    {
        var h = Seed ^ ((ulong)utf8.Length * 0x9e3779b97f4a7c15UL);
        while (utf8.Length >= 8)
        {
            h = EventIds.Mix(h ^ BinaryPrimitives.ReadUInt64LittleEndian(utf8));
            utf8 = utf8[8..];
        }

        ulong tail = 0;
        for (var i = 0; i < utf8.Length; i++)
            tail |= (ulong)utf8[i] << (8 * i);
        return EventIds.Mix(h ^ tail);
    }

    private static bool Same(string id, ReadOnlySpan<byte> utf8)
    {
        if (id.Length == utf8.Length)
            return Ascii.Equals(utf8, id); // valid UTF-8 with as many bytes as characters is ASCII
        if (id.Length > utf8.Length)
            return false;
        Span<char> text = utf8.Length <= 512 ? stackalloc char[utf8.Length] : new char[utf8.Length];
        return text[..Encoding.UTF8.GetChars(utf8, text)].SequenceEqual(id);
    }

    /// <summary>Open addressing with linear probing at a load of at most one half.</summary>
    private sealed class Generation
    {
        private readonly (ulong Hash, string? Id)[] _slots;
        private readonly int _mask;

        public Generation(int capacity)
        {
            var size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity * 2);
            _slots = new (ulong, string?)[size];
            _mask = size - 1;
        }

        public int Count { get; private set; }

        public string? Find(ulong hash, ReadOnlySpan<byte> utf8)
        {
            for (var i = (int)hash & _mask; ; i = (i + 1) & _mask)
            {
                ref readonly var slot = ref _slots[i];
                if (slot.Id is null || (slot.Hash == hash && Same(slot.Id, utf8)))
                    return slot.Id;
            }
        }

        public void Add(ulong hash, string id)
        {
            var i = (int)hash & _mask;
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
