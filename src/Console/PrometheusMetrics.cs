using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace StreamRec.Console;

/// <summary>
/// Collects every instrument of the meters named <c>StreamRec.*</c> and writes them in the Prometheus text format 0.0.4
/// (prometheus.io, exposition formats). Counters and histograms accumulate here; gauges are asked for at each scrape.
/// Thread-safe; recording costs one dictionary look-up and an interlocked add.
/// </summary>
public sealed class PrometheusMetrics : IDisposable
{
    /// <summary>Upper bounds in the instrument's own unit; chosen for milliseconds, from a cache hit to a timeout.</summary>
    private static readonly double[] Bounds = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, Family> _families = new(StringComparer.Ordinal);

    public PrometheusMetrics()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith("StreamRec.", StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument.Name, _ => new Family(instrument)));
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.Start();
    }

    /// <summary>One scrape: samples the gauges and returns the text of all families in name order.</summary>
    public string Scrape()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (var family in _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal))
            family.Write(text);
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private enum Kind
    {
        Counter,
        Gauge,
        Histogram,
    }

    private sealed class Family(Instrument instrument)
    {
        private readonly Kind _kind = KindOf(instrument);
        private readonly bool _observed = instrument.IsObservable;
        private readonly ConcurrentDictionary<string, Series> _series = new(StringComparer.Ordinal);

        public string Name { get; } = instrument.Name;

        public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var series = _series.GetOrAdd(Labels(tags), _ => new Series(_kind == Kind.Histogram ? Bounds.Length + 1 : 0));
            lock (series)
            {
                series.Sum = _observed || instrument is Gauge<double> or Gauge<long> or Gauge<int> ? value : series.Sum + value;
                series.Count++;
                if (_kind == Kind.Histogram)
                    series.Buckets[BucketOf(value)]++;
            }
        }

        public void Write(StringBuilder text)
        {
            if (!string.IsNullOrEmpty(instrument.Description))
                text.Append(CultureInfo.InvariantCulture, $"# HELP {Name} {instrument.Description}\n");
            text.Append(CultureInfo.InvariantCulture, $"# TYPE {Name} {_kind.ToString().ToLowerInvariant()}\n");
            foreach (var (labels, series) in _series.OrderBy(s => s.Key, StringComparer.Ordinal))
            {
                lock (series)
                {
                    if (_kind == Kind.Histogram)
                        WriteHistogram(text, labels, series);
                    else
                        text.Append(CultureInfo.InvariantCulture, $"{Name}{Braces(labels)} {series.Sum:R}\n");
                }
            }
        }

        private void WriteHistogram(StringBuilder text, string labels, Series series)
        {
            long below = 0;
            for (var i = 0; i < series.Buckets.Length; i++)
            {
                below += series.Buckets[i];
                var bound = i < Bounds.Length ? Bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
                text.Append(CultureInfo.InvariantCulture, $"{Name}_bucket{Braces(labels + (labels.Length > 0 ? "," : "") + $"le=\"{bound}\"")} {below}\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"{Name}_sum{Braces(labels)} {series.Sum:R}\n");
            text.Append(CultureInfo.InvariantCulture, $"{Name}_count{Braces(labels)} {series.Count}\n");
        }

        private static int BucketOf(double value)
        {
            var at = Array.BinarySearch(Bounds, value);
            return at >= 0 ? at : ~at;
        }

        private static Kind KindOf(Instrument instrument)
        {
            var type = instrument.GetType().GetGenericTypeDefinition();
            if (type == typeof(Counter<>) || type == typeof(ObservableCounter<>))
                return Kind.Counter;
            return type == typeof(Histogram<>) ? Kind.Histogram : Kind.Gauge;
        }

        private static string Braces(string labels) => labels.Length == 0 ? "" : $"{{{labels}}}";

        private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.IsEmpty)
                return "";
            var labels = new StringBuilder();
            foreach (var (name, value) in tags)
            {
                var text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
                labels.Append(labels.Length > 0 ? "," : "").Append(name).Append("=\"")
                    .Append(text.Replace("\\", "\\\\", StringComparison.Ordinal)
                        .Replace("\"", "\\\"", StringComparison.Ordinal)
                        .Replace("\n", "\\n", StringComparison.Ordinal))
                    .Append('"');
            }

            return labels.ToString();
        }
    }

    private sealed class Series(int buckets)
    {
        public double Sum;
        public long Count;
        public readonly long[] Buckets = new long[buckets];
    }
}
