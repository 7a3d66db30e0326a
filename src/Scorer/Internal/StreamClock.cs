namespace StreamRec.Scorer;

/// <summary>
/// What time it is in the stream: the newest event time seen plus the real time since then. Equal to the wall clock in service; in a replay of old
/// events it stays in their time, so that "the last 30 days" are days of the data.
/// </summary>
internal sealed class StreamClock(TimeProvider time)
{
    private long _newestMs = long.MinValue;
    private long _seenAt;

    /// <summary>Unix milliseconds; the wall clock's while no event was seen.</summary>
    public long NowMs => _newestMs == long.MinValue
        ? time.GetUtcNow().ToUnixTimeMilliseconds()
        : _newestMs + (long)time.GetElapsedTime(_seenAt).TotalMilliseconds;

    public void See(long eventMs)
    {
        if (eventMs <= _newestMs)
            return;
        _newestMs = eventMs;
        _seenAt = time.GetTimestamp();
    }
}
