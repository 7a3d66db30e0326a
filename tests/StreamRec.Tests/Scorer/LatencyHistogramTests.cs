using StreamRec.Contracts;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class LatencyHistogramTests
{
    [Fact]
    public void Quantiles_are_within_one_percent_of_the_exact_ones()
    {
        var random = new Random(7);
        var histogram = new LatencyHistogram();
        var values = new long[50_000];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (long)Math.Exp(random.NextDouble() * 20); // 1 µs .. 8 minutes, even on the log scale
            histogram.RecordMicroseconds(values[i]);
        }

        Array.Sort(values);
        foreach (var q in new[] { 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0 })
        {
            var exactMs = values[(int)Math.Ceiling(q * values.Length) - 1] / 1000.0;
            Assert.InRange(histogram.QuantileMs(q), exactMs * 0.99 - 0.0005, exactMs * 1.01 + 0.0005);
        }

        Assert.Equal(values.Length, histogram.Count);
        Assert.Equal(values[^1] / 1000.0, histogram.Summary().Max);
    }

    [Fact]
    public void Small_values_are_exact()
    {
        var histogram = new LatencyHistogram();
        for (var i = 1; i <= 100; i++)
            histogram.RecordMicroseconds(i);
        Assert.Equal(0.050, histogram.QuantileMs(0.5));
        Assert.Equal(0.099, histogram.QuantileMs(0.99));
    }

    [Fact]
    public void Empty_says_zero_and_a_negative_duration_counts_as_zero()
    {
        var histogram = new LatencyHistogram();
        Assert.Equal(new LatencySummary(0, 0, 0, 0, 0), histogram.Summary());
        histogram.Record(TimeSpan.FromSeconds(-3));
        Assert.Equal(new LatencySummary(1, 0, 0, 0, 0), histogram.Summary());
    }

    [Fact]
    public void A_duration_beyond_the_range_counts_as_the_longest()
    {
        var histogram = new LatencyHistogram();
        histogram.Record(TimeSpan.FromDays(1000));
        Assert.InRange(histogram.QuantileMs(0.5), TimeSpan.FromDays(50).TotalMilliseconds, TimeSpan.FromDays(52).TotalMilliseconds);
    }

    [Fact]
    public void Nothing_is_lost_when_many_threads_record()
    {
        var histogram = new LatencyHistogram();
        Parallel.For(0, 8, t =>
        {
            for (var i = 0; i < 20_000; i++)
                histogram.RecordMicroseconds((t * 1000) + i);
        });
        Assert.Equal(160_000, histogram.Count);
    }
}
