using System.Numerics;

namespace StreamRec.Contracts;

/// <summary>What a report says about one latency. Milliseconds; all 0 while nothing was recorded.</summary>
public sealed record LatencySummary(long Count, double P50, double P95, double P99, double Max);

/// <summary>
/// A fixed-size, log-linear histogram of durations (the idea of HdrHistogram, hdrhistogram.github.io): 64 linear buckets per power
/// of two, so a quantile is off by at most 0.8 % of its value. Microsecond resolution, longest value 2^42 µs (51 days; longer ones count as that).
/// Any thread may record or read at any time: recording is one interlocked increment, reading sees each record at most once.
/// Memory 19 kB whatever the number of records.
/// </summary>
public sealed class LatencyHistogram
{
    private const int SubBucketBits = 6;
    private const int MaxBits = 42;
    private const long MaxValue = (1L << MaxBits) - 1;

    private readonly long[] _counts = new long[Index(MaxValue) + 1];
    private long _max;

    /// <summary>Number of records so far.</summary>
    public long Count
    {
        get
        {
            long sum = 0;
            for (var i = 0; i < _counts.Length; i++)
                sum += Volatile.Read(ref _counts[i]);
            return sum;
        }
    }

    /// <summary>A negative duration (two machines' clocks disagree) counts as 0.</summary>
    public void Record(TimeSpan duration) => RecordMicroseconds(duration.Ticks / TimeSpan.TicksPerMicrosecond);

    public void RecordMicroseconds(long microseconds)
    {
        var value = Math.Clamp(microseconds, 0, MaxValue);
        Interlocked.Increment(ref _counts[Index(value)]);
        long seen;
        while (value > (seen = Volatile.Read(ref _max)) && Interlocked.CompareExchange(ref _max, value, seen) != seen)
        {
        }
    }

    /// <summary>The smallest recorded value that at least a share <paramref name="q"/> of the records does not exceed, in milliseconds; 0 when empty.</summary>
    public double QuantileMs(double q)
    {
        if (q is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(q), q, "a quantile is a share between 0 and 1");
        var rank = Math.Max(1, (long)Math.Ceiling(q * Count));
        long sum = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            sum += Volatile.Read(ref _counts[i]);
            if (sum >= rank)
                return Math.Min(Middle(i), Volatile.Read(ref _max)) / 1000.0;
        }

        return 0;
    }

    public LatencySummary Summary() => new(Count, QuantileMs(0.5), QuantileMs(0.95), QuantileMs(0.99), Volatile.Read(ref _max) / 1000.0);

    /// <summary>Values below 128 have a bucket of their own; above, the highest 7 bits choose it.</summary>
    private static int Index(long value)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)value | 1) - SubBucketBits);
        return (shift << SubBucketBits) + (int)(value >> shift);
    }

    private static double Middle(int index)
    {
        if (index < 2 << SubBucketBits)
            return index;
        var shift = (index >> SubBucketBits) - 1;
        return (((long)index - (shift << SubBucketBits)) << shift) + ((1L << shift) / 2.0);
    }
}
