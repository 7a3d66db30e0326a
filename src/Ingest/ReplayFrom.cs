namespace StreamRec.Ingest;

/// <summary>
/// Where a fresh schema begins to read interactions.v1, instead of at the start of the log. A partition the schema has consumed already
/// goes on where it is, so a restarted replay continues. The catalogue is read to its end first: erasures must be known before the
/// events they cover. The same stretch of the log gives the same digest, whenever it is replayed.
/// </summary>
public sealed record ReplayFrom
{
    /// <summary>First offset of every partition; one the broker no longer has means its oldest.</summary>
    public long? Offset { get; init; }

    /// <summary>The first record of each partition that reached the log at or after this moment.</summary>
    public DateTimeOffset? Time { get; init; }
}
