namespace StreamRec.Scorer;

/// <summary>
/// The list each user was last sent, kept to be tested against the user's next event: item indexes only. Bounded to a number of users; at the
/// bound the list stored longest ago is forgotten (its user is then tested against the popularity list, as a newcomer is).
/// 4 bytes per item plus about 40 per user; grows up to the bound. One thread.
/// </summary>
internal sealed class LastLists(int length, int capacity)
{
    private readonly Dictionary<int, int> _slots = [];
    private int[] _items = new int[64 * length];
    private int[] _users = new int[64];
    private int[] _counts = new int[64];
    private long[] _versions = new long[64];
    private int _used;
    private int _next;

    public int Count => _slots.Count;

    public void Set(int user, ReadOnlySpan<int> items, long version)
    {
        if (!_slots.TryGetValue(user, out var slot))
            _slots.Add(user, slot = Take(user));
        var count = Math.Min(items.Length, length);
        items[..count].CopyTo(_items.AsSpan(slot * length, length));
        (_counts[slot], _versions[slot]) = (count, version);
    }

    /// <summary>False when the user has no list here.</summary>
    public bool TryGet(int user, out ReadOnlySpan<int> items, out long version)
    {
        if (!_slots.TryGetValue(user, out var slot))
        {
            items = default;
            version = 0;
            return false;
        }

        items = _items.AsSpan(slot * length, _counts[slot]);
        version = _versions[slot];
        return true;
    }

    public void Remove(int user)
    {
        if (_slots.Remove(user, out var slot))
            _users[slot] = -1;
    }

    /// <summary>The users whose list holds any of the items. O(kept lists).</summary>
    public List<int> UsersWith(IReadOnlyCollection<int> items)
    {
        var wanted = items.ToHashSet();
        var users = new List<int>();
        foreach (var (user, slot) in _slots)
        {
            foreach (var item in _items.AsSpan(slot * length, _counts[slot]))
            {
                if (!wanted.Contains(item))
                    continue;
                users.Add(user);
                break;
            }
        }

        return users;
    }

    private int Take(int user)
    {
        if (_used < capacity)
        {
            if (_used == _users.Length)
                Grow();
            _users[_used] = user;
            return _used++;
        }

        var slot = _next;
        _next = _next + 1 == capacity ? 0 : _next + 1;
        if (_users[slot] >= 0)
            _slots.Remove(_users[slot]);
        _users[slot] = user;
        return slot;
    }

    private void Grow()
    {
        var size = (int)Math.Min((long)_users.Length * 2, capacity);
        Array.Resize(ref _users, size);
        Array.Resize(ref _counts, size);
        Array.Resize(ref _versions, size);
        Array.Resize(ref _items, checked(size * length));
    }
}
