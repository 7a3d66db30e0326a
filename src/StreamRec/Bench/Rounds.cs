using System.Diagnostics;

namespace StreamRec.Bench;

/// <summary>Rates that are compared are measured in turns, so that a busy neighbour hits all of them; a ratio is the median of the rounds' ratios.</summary>
internal static class Rounds
{
    /// <summary>Units per second of an action that does some units per call, called for about so long after one call that is not counted.</summary>
    public static double Rate(double seconds, Func<double> action, CancellationToken ct)
    {
        action();
        var (units, watch) = (0.0, Stopwatch.StartNew());
        while (watch.Elapsed.TotalSeconds < seconds)
        {
            ct.ThrowIfCancellationRequested();
            units += action();
        }

        return units / watch.Elapsed.TotalSeconds;
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>A row whose value and limit were measured in the same rounds.</summary>
    public static BenchResult Row(string name, string unit, IReadOnlyList<double> values, IReadOnlyList<double> limits, string how) =>
        new(name, Median(values), unit, Median(limits), Median(values.Zip(limits, (v, l) => v / l)), how);
}
