using System.Diagnostics.Metrics;

namespace StreamRec.Console;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.Console");
}
