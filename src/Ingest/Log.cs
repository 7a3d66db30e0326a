using Microsoft.Extensions.Logging;

namespace StreamRec.Ingest;

/// <summary>Everything Ingest logs. Event ids 1000..1999.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information, "Assigned {Topic}/{Partition}, going on at offset {Offset}")]
    public static partial void Assigned(ILogger logger, string topic, int partition, long offset);

    [LoggerMessage(1001, LogLevel.Information, "Revoked {Topic}/{Partition} after offset {Offset}")]
    public static partial void Revoked(ILogger logger, string topic, int partition, long offset);

    [LoggerMessage(1002, LogLevel.Warning, "Lost {Topic}/{Partition}: dropped without committing anything more")]
    public static partial void PartitionLost(ILogger logger, string topic, int partition);

    [LoggerMessage(1003, LogLevel.Error,
        "{Count} events of {Topic}/{Partition} are lost: the broker's oldest offset is {Low}, ours was {Stored}. Its retention is shorter than our lag")]
    public static partial void InputLost(ILogger logger, long count, string topic, int partition, long low, long stored);

    [LoggerMessage(1004, LogLevel.Warning, "Fenced on {Topic}/{Partition} at {Offset}: another consumer owns it; reading its stored offset again")]
    public static partial void Fenced(ILogger logger, string topic, int partition, long offset);

    [LoggerMessage(1005, LogLevel.Warning, "Kafka: {Reason} ({Code})")]
    public static partial void KafkaError(ILogger logger, string reason, string code);

    [LoggerMessage(1013, LogLevel.Warning, "Kafka client: {Message} ({Facility})")]
    public static partial void KafkaWarning(ILogger logger, string message, string facility);

    [LoggerMessage(1014, LogLevel.Debug, "Kafka client: {Message} ({Facility})")]
    public static partial void KafkaDebug(ILogger logger, string message, string facility);

    [LoggerMessage(1015, LogLevel.Warning, "Could not drop partitions older than the retention, trying again later: {Error}")]
    public static partial void RetentionPutOff(ILogger logger, string error);

    [LoggerMessage(1016, LogLevel.Information, "{Topic}/{Partition} is read from offset {Offset} on, as asked")]
    public static partial void ReplaysFrom(ILogger logger, string topic, int partition, long offset);

    [LoggerMessage(1006, LogLevel.Warning, "Could not produce {Count} dead letters, trying again: {Error}")]
    public static partial void DeadLettersRetried(ILogger logger, int count, string error);

    [LoggerMessage(1007, LogLevel.Warning, "Could not reach Postgres for the offset of {Topic}/{Partition}, trying again: {Error}")]
    public static partial void ClaimRetried(ILogger logger, string topic, int partition, string error);

    [LoggerMessage(1008, LogLevel.Information, "Draining: {Events} decoded events to apply")]
    public static partial void Draining(ILogger logger, int events);

    [LoggerMessage(1009, LogLevel.Warning, "Not drained within {Seconds} s: the rest is read again at the next start")]
    public static partial void NotDrained(ILogger logger, double seconds);

    [LoggerMessage(1010, LogLevel.Information, "Erased one person of {Topic}: {Rows} rows and keys")]
    public static partial void Erased(ILogger logger, string topic, long rows);

    [LoggerMessage(1011, LogLevel.Warning, "Could not carry an erase on to {Place}, trying again: {Error}")]
    public static partial void EraseRetried(ILogger logger, string place, string error);

    [LoggerMessage(1012, LogLevel.Error,
        "{Topic}/{Partition} ends at {High} but was consumed up to {Stored}: the topic was made anew. "
        + "Reading it from {Low}; known events are recognised by their ids")]
    public static partial void Rewound(ILogger logger, string topic, int partition, long stored, long high, long low);
}
