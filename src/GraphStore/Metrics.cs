using System.Diagnostics.Metrics;

namespace StreamRec.GraphStore;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.GraphStore");

    public static readonly Counter<long> BatchRetries =
        Meter.CreateCounter<long>("streamrec_graph_batch_retries_total", description: "Batches tried again after a transient Postgres error.");

    public static readonly Counter<long> RedisFailures =
        Meter.CreateCounter<long>("streamrec_graph_redis_failures_total", description: "Batches Redis did not take at once; replayed from Postgres later.");

    public static readonly Counter<long> RedisReplayed =
        Meter.CreateCounter<long>("streamrec_graph_redis_replayed_total", description: "Events brought to Redis from Postgres instead of from the batch.");
}
