namespace StreamRec.Contracts;

/// <summary>Limits on what an event may be; beyond them it is dead-lettered.</summary>
public sealed record DecoderOptions
{
    /// <summary>Largest value in bytes. Default 64 KiB. Larger: <see cref="DeadLetterReason.TooLarge"/>.</summary>
    public int MaxValueBytes { get; init; } = 64 * 1024;

    /// <summary>Largest event, user or item id in UTF-8 bytes. Default 256. Larger: <see cref="DeadLetterReason.IdTooLong"/>.</summary>
    public int MaxIdLength { get; init; } = Ids.MaxLength;

    /// <summary>How far an event's time may lie after now. Default 1 hour. Further: <see cref="DeadLetterReason.FutureTime"/>.</summary>
    public TimeSpan MaxFutureSkew { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Nesting depth of the JSON. Default 64. Deeper: <see cref="DeadLetterReason.MalformedJson"/>.</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>
    /// User ids and item ids kept interned, each, per generation. Default 131,072 (about 20 MB when full).
    /// Smaller: more allocation, nothing else.
    /// </summary>
    public int PooledIds { get; init; } = 131_072;
}
