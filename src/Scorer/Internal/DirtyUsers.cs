namespace StreamRec.Scorer;

/// <summary>The event a list answers to: where it stands in the log, when the broker got it, and the trace it belongs to.</summary>
internal readonly record struct Cause(string Topic, int Partition, long Offset, long BrokerMs, byte[]? TraceParent);

/// <summary>A user whose newest events are in no list yet.</summary>
/// <param name="User">Dense user index of the live graph.</param>
/// <param name="NewestEventMs">Time of the newest event, Unix milliseconds.</param>
/// <param name="Cause">The newest event.</param>
/// <param name="Tracker">Progress of the partition the events came from; null when no offset waits for the list.</param>
/// <param name="Token">The first event's open entry there.</param>
internal readonly record struct DirtyUser(int User, long NewestEventMs, Cause Cause, OffsetTracker? Tracker, long Token);

/// <summary>
/// Users waiting for their list. The deadline counts from a user's first event, so a busy user waits no longer than a quiet one.
/// Not thread-safe: the scoring thread owns it. All operations O(1) amortised, and nothing is allocated per event.
/// </summary>
internal sealed class DirtyUsers(TimeSpan debounce, TimeProvider time)
{
    private readonly Dictionary<int, (DirtyUser Dirty, long Generation)> _users = [];

    // One debounce for all, so first in is first due. Entries whose user was flushed early stay behind and are skipped by their generation.
    private readonly Queue<(int User, long Generation, long DueTicks)> _due = new();
    private readonly long _debounceTicks = (long)(debounce.TotalSeconds * time.TimestampFrequency);
    private long _generation;

    public int Count => _users.Count;

    public bool TryGet(int user, out DirtyUser dirty)
    {
        var found = _users.TryGetValue(user, out var entry);
        dirty = entry.Dirty;
        return found;
    }

    /// <summary>
    /// Whether this user's list must be produced before an event of this time (Unix ms) from this partition is applied: a list exists
    /// before the next moment; and one list answers for one partition only.
    /// </summary>
    public bool MustFlushBefore(int user, long eventMs, OffsetTracker tracker, out DirtyUser dirty) =>
        TryGet(user, out dirty) && (eventMs > dirty.NewestEventMs || !ReferenceEquals(dirty.Tracker, tracker));

    /// <summary>The user's first event since the last list: opens the debounce window.</summary>
    public void Add(in DirtyUser dirty)
    {
        _users.Add(dirty.User, (dirty, ++_generation));
        _due.Enqueue((dirty.User, _generation, time.GetTimestamp() + _debounceTicks));
    }

    /// <summary>A further event within the window: the list will name this one as its cause; the deadline stays.</summary>
    public void Extend(int user, long eventMs, in Cause cause)
    {
        var (dirty, generation) = _users[user];
        _users[user] = (dirty with { NewestEventMs = Math.Max(eventMs, dirty.NewestEventMs), Cause = cause }, generation);
    }

    public bool Remove(int user, out DirtyUser dirty)
    {
        var removed = _users.Remove(user, out var entry);
        dirty = entry.Dirty;
        return removed;
    }

    /// <summary>Takes out the next user whose window is over.</summary>
    public bool TryTakeDue(out DirtyUser dirty) => TryTake(time.GetTimestamp(), out dirty);

    /// <summary>Takes out the next user whether due or not; for shutdown.</summary>
    public bool TryTakeAny(out DirtyUser dirty) => TryTake(long.MaxValue, out dirty);

    /// <summary>How long until the next window is over: zero when one is, <paramref name="atMost"/> when none is open.</summary>
    public TimeSpan UntilDue(TimeSpan atMost)
    {
        DropStale();
        if (_due.Count == 0)
            return atMost;
        var left = time.GetElapsedTime(time.GetTimestamp(), _due.Peek().DueTicks);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < atMost ? left : atMost;
    }

    /// <summary>Forgets the users of a partition that now belongs to another instance, which will produce their lists.</summary>
    public void Forget(OffsetTracker tracker)
    {
        foreach (var (user, entry) in _users)
        {
            if (ReferenceEquals(entry.Dirty.Tracker, tracker))
                _users.Remove(user);
        }
    }

    private bool TryTake(long untilTicks, out DirtyUser dirty)
    {
        DropStale();
        dirty = default;
        return _due.Count > 0 && _due.Peek().DueTicks <= untilTicks && Remove(_due.Dequeue().User, out dirty);
    }

    private void DropStale()
    {
        while (_due.TryPeek(out var first) && !(_users.TryGetValue(first.User, out var entry) && entry.Generation == first.Generation))
            _due.Dequeue();
    }
}
