using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>
/// A bounded set of the newest ids: says whether an id was seen among the last <c>capacity</c> different ones, and forgets the oldest
/// first. An open-addressing table beside a ring in insertion order; both start small and double up to the bound (28 bytes per id at
/// the bound). Ids are kept as 64 bits: at 200,000 of them a false "seen" has a chance of 10^-14 per question. Not thread-safe.
/// </summary>
internal sealed class RecentIds
{
    private readonly int _capacity;
    private ulong[] _ring;
    private ulong[] _table; // 0 = empty
    private int _count;
    private int _oldest;

    public RecentIds(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _capacity = capacity;
        _ring = new ulong[Math.Min(capacity, 256)];
        _table = new ulong[1024];
    }

    public int Count => _count;

    /// <summary>True when the id is new (and is remembered now); false when it is among the remembered ones.</summary>
    public bool Add(UInt128 id) => Add((ulong)id ^ (ulong)(id >> 64));

    /// <summary>As the other overload, for a key that is already a hash.</summary>
    public bool Add(ulong hash)
    {
        var key = hash == 0 ? 1 : hash;
        if (_table[Slot(key)] == key)
            return false;
        if (_count == _ring.Length && _count < _capacity)
            Grow();
        if (_count == _ring.Length)
        {
            Remove(_ring[_oldest]);
            _ring[_oldest] = key;
            _oldest = _oldest + 1 == _ring.Length ? 0 : _oldest + 1;
        }
        else
        {
            _ring[_count++] = key;
        }

        _table[Slot(key)] = key;
        return true;
    }

    private int Slot(ulong key)
    {
        var mask = _table.Length - 1;
        var slot = (int)EventIds.Mix(key) & mask;
        while (_table[slot] != 0 && _table[slot] != key)
            slot = (slot + 1) & mask;
        return slot;
    }

    /// <summary>Backward-shift deletion (Knuth 6.4, algorithm R): no tombstones, so probes stay short for ever.</summary>
    private void Remove(ulong key)
    {
        var mask = _table.Length - 1;
        var hole = Slot(key);
        for (var next = (hole + 1) & mask; _table[next] != 0; next = (next + 1) & mask)
        {
            var home = (int)EventIds.Mix(_table[next]) & mask;
            if (((next - home) & mask) < ((next - hole) & mask))
                continue;
            _table[hole] = _table[next];
            hole = next;
        }

        _table[hole] = 0;
    }

    private void Grow()
    {
        Array.Resize(ref _ring, (int)Math.Min((long)_ring.Length * 2, _capacity));
        if (_table.Length >= 2L * _ring.Length)
            return;
        _table = new ulong[_table.Length * 2];
        for (var i = 0; i < _count; i++)
            _table[Slot(_ring[i])] = _ring[i];
    }
}
