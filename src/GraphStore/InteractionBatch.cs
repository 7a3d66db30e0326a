using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// A contiguous stretch of one partition of a log, decoded: what one transaction applies. Reusable after <see cref="Reset"/>;
/// filled and applied by one thread at a time.
/// </summary>
public sealed class InteractionBatch(string topic, int partition)
{
    public string Topic { get; } = topic;
    public int Partition { get; } = partition;

    /// <summary>The stored offset this batch continues from; any other in the table means somebody else owns the partition now.</summary>
    public long ExpectedOffset { get; private set; }

    /// <summary>The offset after the last record looked at.</summary>
    public long NextOffset { get; private set; }

    public List<Interaction> Events { get; } = [];

    /// <summary>Log offset of each event, in step with <see cref="Events"/>.</summary>
    public List<long> Offsets { get; } = [];

    /// <summary>When each event reached the log, Unix milliseconds, in step with <see cref="Events"/>: decides whether an erasure covers it.</summary>
    public List<long> LoggedMs { get; } = [];

    /// <summary>Records of this stretch that were set aside, by reason.</summary>
    public Dictionary<DeadLetterReason, long> DeadLetters { get; } = [];

    public bool IsEmpty => NextOffset == ExpectedOffset;

    public void Reset(long expectedOffset)
    {
        ExpectedOffset = NextOffset = expectedOffset;
        Events.Clear();
        Offsets.Clear();
        LoggedMs.Clear();
        DeadLetters.Clear();
    }

    /// <param name="offset">Where in the log it stands.</param>
    /// <param name="interaction">The event.</param>
    /// <param name="loggedMs">When it reached the log; the default is after every erasure.</param>
    public void Add(long offset, in Interaction interaction, long loggedMs = long.MaxValue)
    {
        LoggedMs.Add(loggedMs);
        Events.Add(interaction);
        Offsets.Add(offset);
        Advance(offset + 1);
    }

    public void AddDeadLetter(long offset, DeadLetterReason reason)
    {
        DeadLetters[reason] = DeadLetters.GetValueOrDefault(reason) + 1;
        Advance(offset + 1);
    }

    /// <summary>Moves past offsets that hold nothing to apply (compacted away, transaction markers).</summary>
    public void Advance(long nextOffset) => NextOffset = Math.Max(NextOffset, nextOffset);
}

/// <summary>What became of a batch's events.</summary>
/// <param name="Applied">New rows.</param>
/// <param name="Duplicates">Events already in the graph, or twice in the batch.</param>
/// <param name="Fresh">Offsets of the new rows where not every event was new; null where each was.</param>
/// <param name="Refused">Events of people who were erased after them: counted under <see cref="DeadLetterReason.Erased"/>, kept nowhere.</param>
public readonly record struct ApplyResult(long Applied, long Duplicates, HashSet<long>? Fresh, long Refused = 0);

/// <summary>Another consumer has moved this partition's offset: the batch was not applied and its owner must stop.</summary>
public sealed class FencedException : Exception
{
    public FencedException(string topic, int partition, long expected, Exception? inner = null)
        : base($"{topic}/{partition} is no longer at offset {expected}: another consumer owns it, this batch was not applied", inner)
    {
    }
}

/// <summary>A catalogue record read from a compacted topic; a null record is a tombstone.</summary>
/// <param name="Id">The key.</param>
/// <param name="Record">The value.</param>
/// <param name="LoggedMs">When it reached the log, Unix milliseconds; 0 = now.</param>
public readonly record struct Keyed<T>(string Id, T? Record, long LoggedMs = 0)
    where T : class;

/// <summary>A stretch of one partition of items.v1 or users.v1.</summary>
public sealed record CatalogueBatch<T>(string Topic, int Partition, long ExpectedOffset, long NextOffset, IReadOnlyList<Keyed<T>> Records)
    where T : class
{
    public IReadOnlyDictionary<DeadLetterReason, long> DeadLetters { get; init; } = new Dictionary<DeadLetterReason, long>();
}

/// <summary>How far a partition is consumed and what became of its records.</summary>
public readonly record struct PartitionProgress(int Partition, long NextOffset, long Applied, long Duplicates, long Lost);

/// <summary>Sizes of the graph. Exact; costs one index scan per table.</summary>
public readonly record struct GraphStats(long Users, long Items, long Interactions, long Edges);

/// <summary>One event of a person's history, newest first in answers.</summary>
public readonly record struct RecentEvent(string ItemId, byte Type, float Value, long TimeMs);

/// <summary>One applied event with where it stood in the log: what Redis is fed from.</summary>
public readonly record struct LoggedInteraction(long Offset, Interaction Event);
