namespace StreamRec.GraphStore;

/// <summary>Dense index of each database key. Keys are drawn from a sequence, so an array serves unless most of them are gone.</summary>
internal sealed class KeyIndex
{
    private readonly int[] _dense;
    private readonly Dictionary<long, int>? _sparse;

    /// <param name="keys">In dense order.</param>
    public KeyIndex(IReadOnlyList<long> keys)
    {
        Count = keys.Count;
        var largest = keys.Count == 0 ? -1 : keys.Max();
        _dense = largest < (8L * keys.Count) + 1024 ? new int[largest + 1] : [];
        Array.Fill(_dense, -1);
        if (_dense.Length <= largest)
            _sparse = new Dictionary<long, int>(keys.Count);
        for (var i = 0; i < keys.Count; i++)
        {
            if (_sparse is null)
                _dense[keys[i]] = i;
            else
                _sparse[keys[i]] = i;
        }
    }

    public int Count { get; }

    /// <exception cref="KeyNotFoundException">There is no such key.</exception>
    public int this[long key] => _sparse is not null ? _sparse[key]
        : (ulong)key < (ulong)_dense.Length && _dense[key] is >= 0 and var index ? index
        : throw new KeyNotFoundException($"no row with key {key}");
}
