using Microsoft.Extensions.Logging;

namespace StreamRec.GraphStore;

/// <summary>Everything GraphStore logs. Event ids 6000..6999.</summary>
internal static partial class Log
{
    [LoggerMessage(6000, LogLevel.Information, "Applied migration {Name}")]
    public static partial void Migrated(ILogger logger, string name);

    [LoggerMessage(6001, LogLevel.Information, "Created partition {Name}")]
    public static partial void PartitionCreated(ILogger logger, string name);

    [LoggerMessage(6002, LogLevel.Warning, "Batch {Topic}/{Partition} at {Offset} failed (attempt {Attempt}), retrying in {DelayMs} ms: {Error}")]
    public static partial void BatchRetried(ILogger logger, string topic, int partition, long offset, int attempt, double delayMs, string error);

    [LoggerMessage(6003, LogLevel.Information, "Batch {Topic}/{Partition} at {Offset} had been committed before the connection was lost")]
    public static partial void BatchWasCommitted(ILogger logger, string topic, int partition, long offset);

    [LoggerMessage(6004, LogLevel.Information, "Dropped partition {Name}: older than the retention")]
    public static partial void PartitionDropped(ILogger logger, string name);

    [LoggerMessage(6005, LogLevel.Information, "Erased one user: {Interactions} interactions, {Edges} edges; digest {Before} before, {After} after")]
    public static partial void Erased(ILogger logger, long interactions, long edges, string before, string after);

    [LoggerMessage(6010, LogLevel.Warning,
        "Redis is behind on partition {Partition} (at {Applied}, log at {Next}): {Error}. Postgres goes on; the gap is replayed when Redis answers")]
    public static partial void RedisBehind(ILogger logger, int partition, long applied, long next, string error);

    [LoggerMessage(6011, LogLevel.Information, "Redis caught up on partition {Partition}: {Rows} events replayed from Postgres up to offset {Next}")]
    public static partial void RedisCaughtUp(ILogger logger, int partition, long rows, long next);

    [LoggerMessage(6012, LogLevel.Information, "Rebuilt Redis from Postgres: {Rows} events in {Seconds:F1} s")]
    public static partial void RedisRebuilt(ILogger logger, long rows, double seconds);
}
