using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>An event of a sample user, for display.</summary>
public sealed record SampleEvent(string ItemId, string Title, string Type, DateTimeOffset Time);

/// <summary>An entry of a sample user's list, for display.</summary>
public sealed record SampleItem(string ItemId, string Title, string Channel, string Reason);

/// <summary>One user with newest events (newest first) and the list these led to.</summary>
public sealed record SampleUser(string UserId, long ModelVersion, IReadOnlyList<SampleEvent> Events, IReadOnlyList<SampleItem> List);

/// <summary>
/// What a scorer measures, readable from any thread while it runs. Counters start at 0 with the worker; each is exact and only grows.
/// </summary>
public sealed class ScorerStats
{
    private readonly PrequentialEvaluator _prequential;
    private readonly long[] _deadLetters = new long[Enum.GetValues<DeadLetterReason>().Length];
    private IReadOnlyList<SampleUser> _samples = [];
    private long _applied, _scored, _undecodable, _duplicates, _erasedEvents, _lost,
        _interactionLists, _requestLists, _repeatedRequests, _redisFailures, _swaps;
    private long _modelVersion, _lag, _pending;
    private int _repeats;

    internal ScorerStats(PrequentialEvaluator prequential) => _prequential = prequential;

    /// <summary>Interactions taken into the live graph from the log (the snapshot's are not counted).</summary>
    public long Applied => Volatile.Read(ref _applied);

    /// <summary>Interactions that caused a list, or will within the debounce window.</summary>
    public long Scored => Volatile.Read(ref _scored);

    /// <summary>Interactions whose bytes are no event; Ingest dead-letters them.</summary>
    public long Undecodable => Volatile.Read(ref _undecodable);

    /// <summary>Interactions delivered again by a producer.</summary>
    public long Duplicates => Volatile.Read(ref _duplicates);

    /// <summary>Interactions older than the erasure of their user, left out.</summary>
    public long ErasedEvents => Volatile.Read(ref _erasedEvents);

    /// <summary>Interactions the broker deleted before they could be read.</summary>
    public long LostEvents => Volatile.Read(ref _lost);

    /// <summary>Acknowledged lists caused by interactions.</summary>
    public long InteractionLists => Volatile.Read(ref _interactionLists);

    /// <summary>Acknowledged lists that answer a request.</summary>
    public long RequestLists => Volatile.Read(ref _requestLists);

    /// <summary>All acknowledged lists.</summary>
    public long Lists => InteractionLists + RequestLists;

    /// <summary>Requests with an id answered already, left out.</summary>
    public long RepeatedRequests => Volatile.Read(ref _repeatedRequests);

    /// <summary>Latest lists Redis did not take.</summary>
    public long RedisFailures => Volatile.Read(ref _redisFailures);

    public long ModelSwaps => Volatile.Read(ref _swaps);

    /// <summary>Version that serves now; 0 = none.</summary>
    public long ModelVersion => Volatile.Read(ref _modelVersion);

    /// <summary>Messages of the assigned partitions not read yet, as of the last second.</summary>
    public long Lag => Volatile.Read(ref _lag);

    /// <summary>
    /// Lists owed: users within their debounce window plus lists the broker has
    /// not acknowledged. With <see cref="Lag"/> at 0, 0 means all is done.
    /// </summary>
    public long PendingLists => Volatile.Read(ref _pending);

    /// <summary>Whether lists may hold items the user already has; see <see cref="ScorerOptions.Seen"/>.</summary>
    public bool RepeatsAllowed => Volatile.Read(ref _repeats) != 0;

    /// <summary>Broker timestamp of the newest event in a list to the list's acknowledgement.</summary>
    public LatencyHistogram EventToList { get; } = new();

    /// <summary>Broker timestamp of a request to its list's acknowledgement.</summary>
    public LatencyHistogram RequestToList { get; } = new();

    /// <summary>Accuracy of the lists on the events that followed them. O(windows).</summary>
    public PrequentialReport Prequential => _prequential.Report();

    /// <summary>Up to three recently active users.</summary>
    public IReadOnlyList<SampleUser> SampleUsers => Volatile.Read(ref _samples);

    /// <summary>Requests set aside, by reason; reasons without one are left out.</summary>
    public IReadOnlyDictionary<string, long> DeadLetters
    {
        get
        {
            var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
            for (var i = 1; i < _deadLetters.Length; i++)
            {
                if (Volatile.Read(ref _deadLetters[i]) is > 0 and var count)
                    counts[((DeadLetterReason)i).Code()] = count;
            }

            return counts;
        }
    }

    internal void CountApplied()
    {
        Interlocked.Increment(ref _applied);
        Metrics.Applied.Add(1);
    }

    internal void CountScored() => Interlocked.Increment(ref _scored);

    internal void CountUndecodable() => Skip(ref _undecodable, "undecodable");

    internal void CountDuplicate() => Skip(ref _duplicates, "duplicate");

    internal void CountErasedEvent() => Skip(ref _erasedEvents, "erased");

    internal void CountLost(long events)
    {
        Interlocked.Add(ref _lost, events);
        Metrics.LostEvents.Add(events);
    }

    internal void CountList(bool request, TimeSpan latency)
    {
        Interlocked.Increment(ref request ? ref _requestLists : ref _interactionLists);
        (request ? RequestToList : EventToList).Record(latency);
        (request ? Metrics.RequestToList : Metrics.EventToList).Record(Math.Max(0, latency.TotalSeconds));
        Metrics.Lists.Add(1, new KeyValuePair<string, object?>("trigger", request ? "request" : "interactions"));
    }

    internal void CountRepeatedRequest() => Interlocked.Increment(ref _repeatedRequests);

    internal void CountDeadLetter(DeadLetterReason reason)
    {
        Interlocked.Increment(ref _deadLetters[(int)reason]);
        Metrics.DeadLetters.Add(1, new KeyValuePair<string, object?>("reason", reason.Code()));
    }

    internal long CountRedisFailure()
    {
        Metrics.RedisFailures.Add(1);
        return Interlocked.Increment(ref _redisFailures);
    }

    internal void CountSwap(long version)
    {
        Volatile.Write(ref _modelVersion, version);
        Interlocked.Increment(ref _swaps);
        Metrics.Swaps.Add(1);
    }

    internal void SetLag(long messages) => Volatile.Write(ref _lag, messages);

    internal void SetPending(long lists) => Volatile.Write(ref _pending, lists);

    internal void SetRepeats(bool allowed) => Volatile.Write(ref _repeats, allowed ? 1 : 0);

    internal void SetSamples(IReadOnlyList<SampleUser> samples) => Volatile.Write(ref _samples, samples);

    private static void Skip(ref long counter, string why)
    {
        Interlocked.Increment(ref counter);
        Metrics.Skipped.Add(1, new KeyValuePair<string, object?>("why", why));
    }
}
