namespace StreamRec.Scorer;

/// <summary>
/// When people were erased, by the broker's clock: an event that reached the broker before its user's tombstone must not bring the user back.
/// Bounded: the newest <see cref="Capacity"/> erasures. One thread.
/// </summary>
internal sealed class ErasedUsers
{
    public const int Capacity = 100_000;
    private readonly Dictionary<string, long> _erasedMs = new(StringComparer.Ordinal);
    private readonly Queue<(string User, long Ms)> _order = new();

    public void Add(string user, long brokerMs)
    {
        _erasedMs[user] = brokerMs;
        _order.Enqueue((user, brokerMs));
        while (_order.Count > Capacity)
        {
            var (oldest, ms) = _order.Dequeue();
            if (_erasedMs.TryGetValue(oldest, out var last) && last == ms)
                _erasedMs.Remove(oldest);
        }
    }

    /// <summary>Whether an event the broker got at this time belongs to what was erased.</summary>
    public bool Covers(string user, long brokerMs) => _erasedMs.Count > 0 && _erasedMs.TryGetValue(user, out var erasedMs) && brokerMs <= erasedMs;
}
