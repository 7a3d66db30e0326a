using System.Diagnostics.Metrics;

namespace StreamRec.Trainer;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.Trainer");

    public static readonly Counter<long> Runs = Meter.CreateCounter<long>(
        "streamrec_trainer_runs_total", description: "Training runs that registered a model, by result (promoted, rejected).");
}
