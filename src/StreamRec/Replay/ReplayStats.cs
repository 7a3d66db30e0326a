using System.Diagnostics;

namespace StreamRec.Replay;

/// <summary>Counters of a running replay; readable from any thread while it runs.</summary>
public sealed class ReplayStats
{
    private readonly long[] _heldTicks = new long[Enum.GetValues<Hold>().Length];
    private long _sent, _delivered, _items, _users, _bytes, _hold;

    /// <summary>Interactions handed to the producer.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Interactions the broker has acknowledged.</summary>
    public long Delivered => Volatile.Read(ref _delivered);

    /// <summary>Catalogue messages the broker has acknowledged.</summary>
    public long Items => Volatile.Read(ref _items);

    /// <summary>Users' records the broker has acknowledged.</summary>
    public long Users => Volatile.Read(ref _users);

    /// <summary>Value bytes of acknowledged interactions.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Why it waits right now.</summary>
    public Hold Holding => (Hold)Volatile.Read(ref _hold);

    /// <summary>How long it has waited for a reason so far.</summary>
    public TimeSpan Held(Hold hold) => TimeSpan.FromSeconds(Volatile.Read(ref _heldTicks[(int)hold]) / (double)Stopwatch.Frequency);

    internal void AddSent() => Interlocked.Increment(ref _sent);

    internal void AddDelivered(int bytes)
    {
        Interlocked.Increment(ref _delivered);
        Interlocked.Add(ref _bytes, bytes);
    }

    internal void AddItem() => Interlocked.Increment(ref _items);

    internal void AddUser() => Interlocked.Increment(ref _users);

    internal void SetHold(Hold hold) => Volatile.Write(ref _hold, (long)hold);

    internal void AddHeld(Hold hold, long ticks) => Interlocked.Add(ref _heldTicks[(int)hold], ticks);
}
