using System.Diagnostics.Metrics;

namespace StreamRec.Scorer;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.Scorer");
}
