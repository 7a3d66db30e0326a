using System.Diagnostics.Metrics;

namespace StreamRec.Scorer;

/// <summary>The one meter of this project.</summary>
internal static class Metrics
{
    public static readonly Meter Meter = new("StreamRec.Scorer");

    /// <summary>Lists acknowledged by the broker; tag <c>trigger</c>: interactions or request.</summary>
    public static readonly Counter<long> Lists = Meter.CreateCounter<long>("streamrec_scorer_lists_total");

    /// <summary>Interactions taken into the live graph.</summary>
    public static readonly Counter<long> Applied = Meter.CreateCounter<long>("streamrec_scorer_events_applied_total");

    /// <summary>Events left out; tag <c>why</c>: undecodable, duplicate, erased.</summary>
    public static readonly Counter<long> Skipped = Meter.CreateCounter<long>("streamrec_scorer_events_skipped_total");

    /// <summary>Requests set aside; tag <c>reason</c>.</summary>
    public static readonly Counter<long> DeadLetters = Meter.CreateCounter<long>("streamrec_scorer_dead_letters_total");

    /// <summary>Events the broker had deleted before this scorer could read them.</summary>
    public static readonly Counter<long> LostEvents = Meter.CreateCounter<long>("streamrec_scorer_lost_events_total");

    /// <summary>Latest lists that could not be stored in Redis.</summary>
    public static readonly Counter<long> RedisFailures = Meter.CreateCounter<long>("streamrec_scorer_redis_failures_total");

    /// <summary>Broker timestamp of the causing event to acknowledged list.</summary>
    public static readonly Histogram<double> EventToList = Meter.CreateHistogram<double>("streamrec_scorer_event_to_list_seconds", "s");

    /// <summary>Broker timestamp of the request to acknowledged list.</summary>
    public static readonly Histogram<double> RequestToList = Meter.CreateHistogram<double>("streamrec_scorer_request_to_list_seconds", "s");

    /// <summary>Model swaps done.</summary>
    public static readonly Counter<long> Swaps = Meter.CreateCounter<long>("streamrec_scorer_model_swaps_total");
}
