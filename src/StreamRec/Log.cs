using Microsoft.Extensions.Logging;

namespace StreamRec;

/// <summary>Log messages of the executable. Ids 5000 and up.</summary>
internal static partial class Log
{
    [LoggerMessage(5101, LogLevel.Warning,
        "The replay waits: {Outstanding} messages are not taken ({Lags}) and nothing has moved for {Seconds} s. Is every followed role running?")]
    public static partial void ReplayStalled(ILogger logger, long outstanding, string lags, int seconds);
}
