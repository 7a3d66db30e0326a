using Microsoft.Extensions.Logging;

namespace StreamRec.Scorer;

/// <summary>Every log line of this project; ids 2000+.</summary>
internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "scorer {Group} starts: {Users} users, {Items} items, {Edges} edges from the snapshot, model version {Version}")]
    public static partial void Started(this ILogger logger, string group, int users, int items, long edges, long version);

    [LoggerMessage(2001, LogLevel.Information, "scorer {Group} stopped: {Lists} lists, {Applied} events applied")]
    public static partial void Stopped(this ILogger logger, string group, long lists, long applied);

    [LoggerMessage(2002, LogLevel.Debug, "{Topic} [{Partition}] assigned: reads from {Start}, scores from {ScoreFrom}, applies from {Watermark}")]
    public static partial void ReadsFrom(this ILogger logger, string topic, int partition, long start, long scoreFrom, long watermark);

    [LoggerMessage(2003, LogLevel.Information, "partitions revoked: {Count}; progress committed")]
    public static partial void Revoked(this ILogger logger, int count);

    [LoggerMessage(2004, LogLevel.Warning, "partitions lost: {Count}; another instance scores their uncommitted events again")]
    public static partial void PartitionsLost(this ILogger logger, int count);

    [LoggerMessage(2005, LogLevel.Error,
        "{Topic} [{Partition}]: {Lost} events were deleted by the broker's retention before they could be read (needed from {Needed}, oldest is {Oldest})")]
    public static partial void EventsLost(this ILogger logger, string topic, int partition, long lost, long needed, long oldest);

    [LoggerMessage(2006, LogLevel.Information, "model version {Version} serves now ({Items} items; loaded in {LoadMs:F0} ms, was {Previous})")]
    public static partial void ModelSwapped(this ILogger logger, long version, int items, double loadMs, long previous);

    [LoggerMessage(2007, LogLevel.Error, "model version {Version} cannot be loaded from {Path}; version {Current} goes on serving")]
    public static partial void ModelUnusable(this ILogger logger, Exception error, long version, string path, long current);

    [LoggerMessage(2008, LogLevel.Warning, "model registry cannot be read; version {Current} goes on serving")]
    public static partial void RegistryUnreachable(this ILogger logger, Exception error, long current);

    [LoggerMessage(2009, LogLevel.Warning, "latest lists cannot be stored in Redis ({Failures} so far); lists still go out on Kafka")]
    public static partial void RedisUnreachable(this ILogger logger, Exception error, long failures);

    [LoggerMessage(2010, LogLevel.Information, "scoring {State}")]
    public static partial void Paused(this ILogger logger, string state);

    [LoggerMessage(2011, LogLevel.Warning, "broker: {Reason}")]
    public static partial void Broker(this ILogger logger, string reason);

    [LoggerMessage(2012, LogLevel.Information, "user erased: {Edges} edges removed, latest list withdrawn")]
    public static partial void Erased(this ILogger logger, int edges);

    [LoggerMessage(2013, LogLevel.Information, "seen items are {Rule} from now on (share of repeats {Share:P1} of {Events} events)")]
    public static partial void SeenRuleChanged(this ILogger logger, string rule, double share, long events);

    [LoggerMessage(2014, LogLevel.Information, "partitions assigned: {Count}")]
    public static partial void Assigned(this ILogger logger, int count);
}
