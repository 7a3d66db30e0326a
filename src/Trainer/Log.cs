using Microsoft.Extensions.Logging;
using StreamRec.Model;

namespace StreamRec.Trainer;

/// <summary>Log messages of this project; ids from 3000.</summary>
internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Information,
        "Training starts on {Events} events of {Users} users and {Items} items: train up to event {TrainEnd}, validation up to {ValidEnd}; "
        + "fine-tune {FineTune}, seen items {Seen}, device {Device}")]
    public static partial void RunStarts(
        ILogger logger, int events, int users, int items, int trainEnd, int validEnd, bool fineTune,
        SeenRule seen, string device);

    [LoggerMessage(3001, LogLevel.Information,
        "{Stage}: {Epochs} epochs, {Steps} steps, {Targets} targets in {Seconds:f1} s; loss {Loss:f4}, best validation NDCG@10 {Validation:f4}, "
        + "stopped by {StoppedBy}")]
    public static partial void Descended(
        ILogger logger, string stage, int epochs, int steps, long targets, double seconds, double loss, double validation,
        string stoppedBy);

    [LoggerMessage(3002, LogLevel.Warning, "Fine-tuning starts these tensors afresh, because the champion has none of their shape: {Tensors}")]
    public static partial void NotWarm(ILogger logger, string tensors);

    [LoggerMessage(3003, LogLevel.Information, "Model v{Version} {Decision}: {Why}")]
    public static partial void Judged(ILogger logger, long version, string decision, string why);

    [LoggerMessage(3004, LogLevel.Warning, "Champion v{Version} at {Path} cannot be loaded; the candidate is judged against popularity and trained in full")]
    public static partial void ChampionUnreadable(ILogger logger, Exception error, long version, string path);

    [LoggerMessage(3005, LogLevel.Information, "Snapshot of {Events} events read in {Seconds:f1} s, text of {Items} items in {TextSeconds:f1} s")]
    public static partial void SnapshotRead(ILogger logger, int events, double seconds, int items, double textSeconds);

    [LoggerMessage(3006, LogLevel.Warning, "{Stage}, {Alarm}")]
    public static partial void Alarm(ILogger logger, string stage, string alarm);
}
