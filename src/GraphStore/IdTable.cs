using System.Collections.Concurrent;

namespace StreamRec.GraphStore;

/// <summary>String ids to dense ints and back. One writer interns; readers look up concurrently without locks. An index is never given twice.</summary>
internal sealed class IdTable(string what, int max)
{
    private readonly ConcurrentDictionary<string, int> _index = new(concurrencyLevel: 1, capacity: 1024, StringComparer.Ordinal);
    private string?[] _ids = new string?[1024];
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public bool TryGet(string id, out int index) => _index.TryGetValue(id, out index);

    public int Intern(string id)
    {
        if (_index.TryGetValue(id, out var index))
            return index;
        if (_count == max)
        {
            throw new InvalidOperationException(
                $"the live graph holds {max} {what}s, which is LiveGraphOptions.Max{char.ToUpperInvariant(what[0])}{what[1..]}s: raise it for one more");
        }
        if (_count == _ids.Length)
        {
            var grown = new string?[Math.Min(max, _ids.Length * 2)];
            _ids.CopyTo(grown, 0);
            Volatile.Write(ref _ids, grown);
        }

        _ids[_count] = id;
        _index[id] = _count;
        Volatile.Write(ref _count, _count + 1);
        return _count - 1;
    }

    public string Id(int index)
    {
        var count = Count; // before the array: it then covers the index
        return (uint)index < (uint)count
            ? Volatile.Read(ref _ids)[index] ?? throw new KeyNotFoundException($"{what} {index} was erased from the live graph")
            : throw new ArgumentOutOfRangeException(nameof(index), index, $"the live graph knows {count} {what}s");
    }

    public void Forget(int index)
    {
        if (_ids[index] is { } id)
            _index.TryRemove(id, out _);
        _ids[index] = null;
    }
}
