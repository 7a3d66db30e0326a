using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Scorer;

namespace StreamRec.Tests.Scorer;

/// <summary>The scorer's decisions with a hand-moved clock and the lists collected, without servers.</summary>
internal sealed class ScoringHarness
{
    private readonly EventTypes _types = EventTypes.Default;
    private long _offset;

    public ScoringHarness(Func<ScorerOptions, ScorerOptions>? change = null)
    {
        var options = new ScorerOptions { BootstrapServers = "none:0", Seen = SeenPolicy.Exclude, PrequentialWindow = 10 };
        options = change?.Invoke(options) ?? options;
        Prequential = new PrequentialEvaluator(options.PrequentialWindow);
        Stats = new ScorerStats(Prequential);
        Graph = new LiveGraph(new LiveGraphOptions());
        Scoring = new Scoring(options, _types, Graph, Stats, Prequential, Time, Collect);
    }

    public ManualTime Time { get; } = new();

    public OffsetTracker Tracker { get; } = new();

    public LiveGraph Graph { get; }

    public PrequentialEvaluator Prequential { get; }

    public ScorerStats Stats { get; }

    public Scoring Scoring { get; }

    public List<SentList> Lists { get; } = [];

    public long Event(string user, string item, long timeMs, string type = "like", bool fresh = true)
    {
        var offset = _offset++;
        var e = new Interaction(EventIds.Hash($"{offset}"), user, item, _types.Find(type)!.Code, float.NaN, timeMs);
        Scoring.Interaction(e, new Cause("interactions.v1", 0, offset, timeMs, null), fresh, Tracker);
        return offset;
    }

    public SentList Request(RecommendationRequest request)
    {
        Scoring.Request(request, request.UserId ?? request.RequestId, new Cause("requests.v1", 0, _offset, 0, null), Tracker, Tracker.Open(_offset++));
        return Lists[^1];
    }

    private void Collect(in ListHeader header, string key, RankedList list, in Cause cause, OffsetTracker? tracker, long token)
    {
        var items = list.Entries.ToArray().Select(e => Graph.ItemId(e.Item)).ToArray();
        var entries = list.Entries.ToArray();
        var evidence = entries.Select(e => Enumerable.Range(0, e.EvidenceCount).Select(i => Graph.ItemId(e.Evidence[i])).ToArray()).ToArray();
        Lists.Add(new SentList(header, key, items, [.. entries.Select(e => e.Channel)], evidence, cause, list.ModelVersion));
        tracker?.Complete(token);
    }

    internal sealed record SentList(ListHeader Header, string Key, string[] Items, string[] Channels, string[][] Evidence, Cause Cause, long ModelVersion);
}
