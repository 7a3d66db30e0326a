using System.Diagnostics.Metrics;

namespace StreamRec.Ingest;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.Ingest");
}
