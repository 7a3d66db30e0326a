using System.Diagnostics.Metrics;
using StreamRec.Console;
using Xunit;

namespace StreamRec.ConsoleTests;

public sealed class PrometheusMetricsTests
{
    [Fact]
    public void A_counter_accumulates_per_label_and_a_histogram_has_cumulative_buckets()
    {
        using var metrics = new PrometheusMetrics();
        using var meter = new Meter("StreamRec.Test" + nameof(A_counter_accumulates_per_label_and_a_histogram_has_cumulative_buckets));
        var counter = meter.CreateCounter<long>("test_events_total", description: "Events.");
        counter.Add(2, new KeyValuePair<string, object?>("reason", "a\"b"));
        counter.Add(3, new KeyValuePair<string, object?>("reason", "a\"b"));
        var histogram = meter.CreateHistogram<double>("test_latency_ms");
        histogram.Record(3);
        histogram.Record(70);
        var text = metrics.Scrape();
        Assert.Contains("# HELP test_events_total Events.", text, StringComparison.Ordinal);
        Assert.Contains("test_events_total{reason=\"a\\\"b\"} 5\n", text, StringComparison.Ordinal);
        Assert.Contains("test_latency_ms_bucket{le=\"5\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("test_latency_ms_bucket{le=\"+Inf\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("test_latency_ms_sum 73\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Meters_of_other_libraries_are_left_out()
    {
        using var metrics = new PrometheusMetrics();
        using var meter = new Meter("Other");
        meter.CreateCounter<long>("other_total").Add(1);
        Assert.DoesNotContain("other_total", metrics.Scrape(), StringComparison.Ordinal);
    }
}
