namespace StreamRec.GraphStore;

/// <summary>
/// Remembers the dense keys of users and items, so that most batches need no look-up. Bounded: two generations of
/// <c>capacity</c> ids each; the older is dropped whole when the younger is full. Valid for one erase epoch: see
/// <c>ingest_advance</c> in the schema. Callers hold <see cref="Gate"/> around a batch's worth of look-ups.
/// </summary>
internal sealed class KeyCache(int capacity)
{
    /// <summary>About 50 MB when both generations of both kinds are full, the strings (shared with the decoder) not counted.</summary>
    public const int DefaultCapacity = 262_144;

    private readonly Dictionary<string, long>[] _users = [new(StringComparer.Ordinal), new(StringComparer.Ordinal)];
    private readonly Dictionary<string, long>[] _items = [new(StringComparer.Ordinal), new(StringComparer.Ordinal)];

    private readonly Dictionary<string, long> _erased = new(StringComparer.Ordinal);

    public Lock Gate { get; } = new();

    /// <summary>The erase epoch the keys were read at; -1 before the first look-up.</summary>
    public long Epoch { get; private set; } = -1;

    public int Count => _users[0].Count + _users[1].Count + _items[0].Count + _items[1].Count;

    public bool TryGetUser(string id, out long key) => TryGet(_users, id, out key);

    public bool TryGetItem(string id, out long key) => TryGet(_items, id, out key);

    public void AddUser(string id, long key) => Add(_users, id, key);

    public void AddItem(string id, long key) => Add(_items, id, key);

    /// <summary>Remembers when a person known again was erased. Such people are few: bounded by the same capacity, all dropped at once.</summary>
    public void AddErased(string id, long erasedMs)
    {
        if (_erased.Count == capacity)
            Clear();
        _erased[id] = erasedMs;
    }

    /// <summary>Whether a record of this age on the log belongs to what was erased, as far as is remembered.</summary>
    public bool WasErasedAfter(string id, long loggedMs) => _erased.Count > 0 && _erased.TryGetValue(id, out var erasedMs) && loggedMs <= erasedMs;

    /// <summary>Keys of a newer epoch than the cached ones replace them; of an older one they are dropped by the caller.</summary>
    public void MoveTo(long epoch)
    {
        if (epoch <= Epoch)
            return;
        Clear();
        Epoch = epoch;
    }

    /// <summary>Forgets everything, the epoch too.</summary>
    public void Clear()
    {
        foreach (var generation in (Dictionary<string, long>[])[.. _users, .. _items])
            generation.Clear();
        _erased.Clear();
        Epoch = -1;
    }

    private bool TryGet(Dictionary<string, long>[] generations, string id, out long key)
    {
        if (generations[0].TryGetValue(id, out key))
            return true;
        if (!generations[1].TryGetValue(id, out key))
            return false;
        Add(generations, id, key);
        return true;
    }

    private void Add(Dictionary<string, long>[] generations, string id, long key)
    {
        if (generations[0].Count >= capacity)
        {
            (generations[0], generations[1]) = (generations[1], generations[0]);
            generations[0].Clear();
        }

        generations[0][id] = key;
    }
}
