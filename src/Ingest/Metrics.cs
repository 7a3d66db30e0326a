using System.Diagnostics.Metrics;

namespace StreamRec.Ingest;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.Ingest");

    public static readonly Counter<long> Applied =
        Meter.CreateCounter<long>("streamrec_ingest_applied_total", description: "Events that became new rows of the graph.");

    public static readonly Counter<long> Duplicates =
        Meter.CreateCounter<long>("streamrec_ingest_duplicates_total", description: "Events the graph had already.");

    public static readonly Counter<long> DeadLetters =
        Meter.CreateCounter<long>("streamrec_ingest_dead_letters_total", description: "Records set aside, by reason.");

    public static readonly Counter<long> Lost =
        Meter.CreateCounter<long>("streamrec_ingest_lost_total", description: "Offsets the broker had dropped before they were read.");

    public static readonly Counter<long> Fenced =
        Meter.CreateCounter<long>("streamrec_ingest_fenced_total", description: "Batches refused because another consumer owns the partition.");

    public static readonly Gauge<long> Lag =
        Meter.CreateGauge<long>("streamrec_ingest_lag", description: "Interactions on the log of an owned partition that are not in the graph yet.");

    public static readonly Gauge<long> RedisBehind =
        Meter.CreateGauge<long>("streamrec_ingest_redis_behind", description: "Owned partitions whose part of Redis is being replayed from Postgres.");

    public static readonly Histogram<double> BatchSeconds =
        Meter.CreateHistogram<double>("streamrec_ingest_batch_seconds", "s", "From a batch's first wait for Postgres to its commit.");

    public static readonly Histogram<long> BatchEvents =
        Meter.CreateHistogram<long>("streamrec_ingest_batch_events", "{event}", "Events per transaction.");
}
