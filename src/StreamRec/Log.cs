using Microsoft.Extensions.Logging;

namespace StreamRec;

/// <summary>Log messages of the executable. Ids 5000 and up.</summary>
internal static partial class Log
{
    [LoggerMessage(5101, LogLevel.Warning,
        "The replay waits: {Outstanding} messages are not taken ({Lags}) and nothing has moved for {Seconds} s. Is every followed role running?")]
    public static partial void ReplayStalled(ILogger logger, long outstanding, string lags, int seconds);

    [LoggerMessage(5201, LogLevel.Information, "Training asked for at {Applied} applied events")]
    public static partial void TrainingAsked(ILogger logger, long applied);

    [LoggerMessage(5202, LogLevel.Error, "Training run {RunId} failed")]
    public static partial void TrainingFailed(ILogger logger, Exception exception, Guid runId);

    [LoggerMessage(5203, LogLevel.Critical, "Role {Role} stopped with an error; the process ends so that a supervisor can restart it")]
    public static partial void RoleFailed(ILogger logger, Exception exception, string role);

    [LoggerMessage(5204, LogLevel.Information, "Roles {Roles} run; http on {Url}")]
    public static partial void RolesStarted(ILogger logger, string roles, string url);

    [LoggerMessage(5205, LogLevel.Warning, "Version {Version} could not be announced on {Topic} and will be again: {Reason}")]
    public static partial void NotAnnounced(ILogger logger, long version, string topic, string reason);

    [LoggerMessage(5206, LogLevel.Information, "Kafka: {Message}")]
    public static partial void Kafka(ILogger logger, string message);
}
