using System.Diagnostics;

namespace StreamRec.Demo;

/// <summary>Turns growing counters into rates per second, one point per step, the newest few minutes kept. One writer.</summary>
internal sealed class DemoHistory(int counters)
{
    /// <summary>Time per point.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    private const int Kept = 600;

    private readonly List<double>[] _rates = [.. Enumerable.Range(0, counters).Select(_ => new List<double>())];
    private readonly long[] _last = new long[counters];
    private long _at = Stopwatch.GetTimestamp();

    /// <summary>Takes the counters' values; does nothing before a step has passed.</summary>
    public void Add(params ReadOnlySpan<long> values)
    {
        var elapsed = Stopwatch.GetElapsedTime(_at);
        if (elapsed < Step)
            return;
        _at = Stopwatch.GetTimestamp();
        for (var i = 0; i < counters; i++)
        {
            if (_rates[i].Count == Kept)
                _rates[i].RemoveAt(0);
            _rates[i].Add((values[i] - _last[i]) / elapsed.TotalSeconds);
            _last[i] = values[i];
        }
    }

    /// <summary>A copy, oldest first.</summary>
    public IReadOnlyList<double> Rates(int counter) => [.. _rates[counter]];
}
