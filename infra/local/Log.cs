using Microsoft.Extensions.Logging;

namespace StreamRec.Local;

internal static partial class Log
{
    [LoggerMessage(7000, LogLevel.Debug, "{Server} starts on port {Port}: {Command}")]
    public static partial void ServerStarts(this ILogger log, string server, int port, string command);

    [LoggerMessage(7001, LogLevel.Information, "{Server} is ready at {Address} after {Seconds:F1} s")]
    public static partial void ServerReady(this ILogger log, string server, string address, double seconds);

    [LoggerMessage(7002, LogLevel.Information, "{Server} at {Address} is used as {Variable} says; it will not be stopped")]
    public static partial void ExternalServer(this ILogger log, string server, string address, string variable);

    [LoggerMessage(7003, LogLevel.Debug, "{Server} (process {Pid}) stopped")]
    public static partial void ServerStopped(this ILogger log, string server, int pid);

    [LoggerMessage(7004, LogLevel.Warning, "{Server} (process {Pid}) did not stop within {Seconds} s and was killed")]
    public static partial void ServerKilled(this ILogger log, string server, int pid, double seconds);

    [LoggerMessage(7005, LogLevel.Warning, "Cleaned up after a killed run: process {Pid} of {Server} ended")]
    public static partial void LeftoverEnded(this ILogger log, string server, int pid);

    [LoggerMessage(7006, LogLevel.Warning, "Cleaned up after a killed run: removed {Folder}")]
    public static partial void LeftoverRemoved(this ILogger log, string folder);

    [LoggerMessage(7007, LogLevel.Warning,
        "No Kafka found: using the in-process broker of librdkafka. Memory only, at most 5 MB or 100,000 messages per partition; never for production")]
    public static partial void InProcessBroker(this ILogger log);

    [LoggerMessage(7008, LogLevel.Debug, "Port {Port} was taken by somebody else while {Server} started; trying another")]
    public static partial void PortTaken(this ILogger log, int port, string server);

    [LoggerMessage(7009, LogLevel.Information, "User postgres cannot reach {Folder}: the database's files are in {Instead} until it stops")]
    public static partial void DataElsewhere(this ILogger log, string folder, string instead);
}
