namespace StreamRec.Scorer;

/// <summary>
/// One partition's contiguous progress: an offset may be committed only when everything before it has taken effect.
/// Events that need no list of their own just move <see cref="Read"/>; those that do are opened and completed when the list is acknowledged.
/// Opened and read by the consuming thread in offset order, completed from any thread. The open entries are bounded by the number of
/// dirty users plus unacknowledged lists. Every operation is O(1) amortised.
/// </summary>
internal sealed class OffsetTracker
{
    private readonly Lock _lock = new();
    private long[] _offsets = new long[64];
    private bool[] _done = new bool[64];
    private long _head; // sequence number of the oldest entry
    private long _tail; // sequence number of the next entry
    private long _next = -1; // one past the last offset read; -1 before the first

    /// <summary>The event at this offset was read and needs nothing more than what is open.</summary>
    public void Read(long offset)
    {
        lock (_lock)
            _next = offset + 1;
    }

    /// <summary>An event at this offset needs a list: nothing at or after it is safe until <see cref="Complete"/> of the returned token.</summary>
    public long Open(long offset)
    {
        lock (_lock)
        {
            _next = offset + 1;
            if (_tail - _head == _offsets.Length)
                Grow();
            _offsets[_tail & (_offsets.Length - 1)] = offset;
            _done[_tail & (_offsets.Length - 1)] = false;
            return _tail++;
        }
    }

    public void Complete(long token)
    {
        lock (_lock)
        {
            if (token < _head || token >= _tail)
                throw new InvalidOperationException($"offset token {token} is not open (open are {_head}..{_tail - 1})");
            _done[token & (_offsets.Length - 1)] = true;
            while (_head < _tail && _done[_head & (_offsets.Length - 1)])
                _head++;
        }
    }

    /// <summary>The offset to commit: everything before it has taken effect. -1 while nothing was read.</summary>
    public long Safe
    {
        get
        {
            lock (_lock)
                return _head < _tail ? _offsets[_head & (_offsets.Length - 1)] : _next;
        }
    }

    /// <summary>Entries not completed yet, those behind an open one included.</summary>
    public long Pending
    {
        get
        {
            lock (_lock)
                return _tail - _head;
        }
    }

    private void Grow()
    {
        var size = _offsets.Length * 2;
        var (offsets, done) = (new long[size], new bool[size]);
        for (var i = _head; i < _tail; i++)
        {
            offsets[i & (size - 1)] = _offsets[i & (_offsets.Length - 1)];
            done[i & (size - 1)] = _done[i & (_offsets.Length - 1)];
        }

        (_offsets, _done) = (offsets, done);
    }
}
