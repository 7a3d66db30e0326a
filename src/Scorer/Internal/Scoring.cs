using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>Takes a finished list; must be done with <paramref name="list"/> when it returns.</summary>
internal delegate void ListSink(in ListHeader header, string key, RankedList list, in Cause cause, OffsetTracker? tracker, long token);

/// <summary>
/// The decisions of a scorer, without Kafka: events in, lists out through the sink. Owns the live graph (is its one writer), the serving model and
/// what is measured. One thread. Per interaction, in log order: the list of the moment before, the test of the event against the list its user
/// had, the event into graph and counters, the user marked dirty.
/// </summary>
internal sealed class Scoring
{
    /// <summary>Users whose last list is kept for the test: 20 items each are 120 MB at the bound.</summary>
    private const int MaxLastLists = 1_000_000;
    private readonly ScorerOptions _options;
    private readonly EventTypes _types;
    private readonly LiveGraph _graph;
    private readonly ScorerStats _stats;
    private readonly PrequentialEvaluator _prequential;
    private readonly TimeProvider _time;
    private readonly ListSink _sink;
    private readonly Catalogue _catalogue = new();
    private readonly Profiles _profiles = new();
    private readonly RepeatRule _repeats;
    private readonly LastLists _lastLists;
    private readonly PopularityBaseline _baseline = new();
    private readonly Ranker _ranker;
    private readonly SampleBoard _samples;
    private readonly StreamClock _clock;
    private readonly RankedList _list = new();
    private readonly List<int> _withdrawn = [];
    private int[] _listItems = new int[ScorerOptions.MaxK];
    private UserEvent[] _seen = new UserEvent[256];

    public Scoring(
        ScorerOptions options, EventTypes types, LiveGraph graph, ScorerStats stats, PrequentialEvaluator prequential, TimeProvider time, ListSink sink)
    {
        (_options, _types, _graph, _stats, _prequential, _time, _sink) = (options, types, graph, stats, prequential, time, sink);
        _repeats = new RepeatRule(options.Seen, options.RepeatShare);
        _lastLists = new LastLists(options.ListLength, MaxLastLists);
        _ranker = new Ranker(graph, _catalogue, _profiles, types, _repeats);
        _samples = new SampleBoard(graph, _catalogue, types, time, stats);
        _clock = new StreamClock(time);
        Dirty = new DirtyUsers(options.Debounce, time);
        Serving = new Serving(RankingModel.None, graph, _catalogue, null);
        stats.SetRepeats(_repeats.RepeatsAllowed);
    }

    public DirtyUsers Dirty { get; }

    public Serving Serving { get; private set; }

    public LiveGraph Graph => _graph;

    public RepeatRule Repeats => _repeats;

    /// <summary>Takes items, users, popularity and the repeat rule from the snapshot the graph was loaded from (same dense indexes).</summary>
    public void Preload(GraphSnapshot snapshot)
    {
        for (var i = 0; i < snapshot.Items.Length; i++)
        {
            _catalogue.Put(i, snapshot.Items[i]);
            Serving.AvailabilityChanged(i);
        }

        for (var u = 0; u < (snapshot.Attributes?.Length ?? 0); u++)
            _profiles.Put(snapshot.Users[u], snapshot.Attributes![u]);
        for (var i = 0; i < snapshot.Count; i++)
            Count(snapshot.User[i], snapshot.Item[i], snapshot.Type[i], snapshot.TimeMs[i]);
    }

    /// <summary>Serves with another model from the next list on.</summary>
    public void Swap(RankingModel model)
    {
        Serving = new Serving(model, _graph, _catalogue, Serving);
        _profiles.Use(model);
    }

    /// <summary>News about a person; their next list knows it.</summary>
    public void User(UserRecord user) => _profiles.Put(user.UserId, user.Attributes);

    /// <summary>One interaction.</summary>
    /// <param name="e">The event.</param>
    /// <param name="cause">Where it stands in the log.</param>
    /// <param name="fresh">False when the graph holds it already: it is scored, but neither applied again nor tested (the lists know it).</param>
    /// <param name="tracker">Progress of its partition; null when another instance scores it.</param>
    public void Interaction(in Interaction e, in Cause cause, bool fresh, OffsetTracker? tracker)
    {
        var user = _graph.InternUser(e.UserId);
        var item = _graph.InternItem(e.ItemId);
        Serving.Extend();
        if (tracker is not null && Dirty.MustFlushBefore(user, e.TimeMs, tracker, out _) && Dirty.Remove(user, out var earlier))
            Produce(earlier);
        if (fresh)
        {
            if (tracker is not null && _types.IsPositive(e.Type))
                Test(user, item, e.TimeMs);
            _graph.Add(user, item, e.Type, e.Value, e.TimeMs);
            Count(user, item, e.Type, e.TimeMs);
            _stats.CountApplied();
        }

        if (tracker is null)
            return;
        _stats.CountScored();
        if (Dirty.TryGet(user, out _))
        {
            Dirty.Extend(user, e.TimeMs, cause);
            tracker.Read(cause.Offset);
        }
        else
        {
            Dirty.Add(new DirtyUser(user, e.TimeMs, cause, tracker, tracker.Open(cause.Offset)));
        }
    }

    /// <summary>Answers a request; the sink gets the token to complete.</summary>
    public void Request(RecommendationRequest request, string key, in Cause cause, OffsetTracker tracker, long token)
    {
        var nowMs = Now();
        if (request.UserId is not null && _graph.TryGetUser(request.UserId, out var user) && _graph.UserDegree(user) > 0)
            _ranker.ForUser(Serving, user, nowMs, request.K, request.Filters, _list);
        else
            _ranker.ForSession(Serving, request.SessionItems, nowMs, request.K, request.Filters, _list);
        _sink(new ListHeader(request.RequestId, request.UserId, cause, WallMs), key, _list, cause, tracker, token);
    }

    /// <summary>Produces the lists whose debounce window is over.</summary>
    public void FlushDue()
    {
        while (Dirty.TryTakeDue(out var dirty))
            Produce(dirty);
    }

    /// <summary>Produces all waiting lists now.</summary>
    public void FlushAll()
    {
        while (Dirty.TryTakeAny(out var dirty))
            Produce(dirty);
    }

    /// <summary>News about an item. True when it became unavailable.</summary>
    public void Item(string itemId, ItemRecord? record)
    {
        var item = _graph.InternItem(itemId);
        var was = _catalogue.IsAvailable(item);
        if (record is null)
            _catalogue.Withdraw(item);
        else
            _catalogue.Put(item, record);
        Serving.AvailabilityChanged(item);
        if (was && !_catalogue.IsAvailable(item))
            _withdrawn.Add(item);
    }

    /// <summary>
    /// Makes the lists anew that hold an item withdrawn since the last call. O(kept lists) when there is such an item. Only lists this instance made
    /// since it started are known; older ones change with their user's next event.
    /// </summary>
    /// <param name="cause">The newest item event read.</param>
    public void ReplaceWithdrawn(in Cause cause)
    {
        if (_withdrawn.Count == 0)
            return;
        foreach (var user in _lastLists.UsersWith(_withdrawn))
        {
            if (!Dirty.TryGet(user, out _)) // a dirty user's next list comes by itself
                Produce(new DirtyUser(user, _clock.NowMs, cause, null, 0));
        }

        _withdrawn.Clear();
    }

    /// <summary>Forgets a person: edges, pending and last list. Returns the edges removed; 0 for somebody unknown.</summary>
    public int Erase(string userId)
    {
        _profiles.Put(userId, new Dictionary<string, string>());
        if (!_graph.TryGetUser(userId, out var user))
            return 0;
        if (Dirty.Remove(user, out var dirty))
            dirty.Tracker?.Complete(dirty.Token);
        _lastLists.Remove(user);
        _samples.Remove(user);
        return _graph.RemoveUser(user);
    }

    private long WallMs => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private long Now()
    {
        var nowMs = _clock.NowMs;
        Serving.Counters.AdvanceTo(nowMs);
        return nowMs;
    }

    private void Produce(in DirtyUser dirty)
    {
        // The moment of the question is the newest event's: this is the list for what comes next.
        _ranker.ForUser(Serving, dirty.User, dirty.NewestEventMs, _options.ListLength, null, _list);
        for (var i = 0; i < _list.Count; i++)
            _listItems[i] = _list.Entries[i].Item;
        _lastLists.Set(dirty.User, _listItems.AsSpan(0, _list.Count), _list.ModelVersion);
        _samples.Offer(dirty.User, _list);
        var userId = _graph.UserId(dirty.User);
        _sink(new ListHeader(null, userId, dirty.Cause, WallMs), userId, _list, dirty.Cause, dirty.Tracker, dirty.Token);
    }

    /// <summary>
    /// Tests the event against the user's last list and against popularity. Strict: what the user has from before this moment is seen, and an event
    /// on such an item is no test where seen items are excluded, because no list can hold it.
    /// </summary>
    private void Test(int user, int item, long timeMs)
    {
        var seen = _repeats.RepeatsAllowed ? default : SeenBy(user);
        foreach (ref readonly var e in seen)
        {
            if (e.Item == item && e.TimeMs < timeMs)
                return;
        }

        Serving.Counters.AdvanceTo(timeMs);
        var popularityRank = _baseline.Rank(Serving, Serving.Items.ToSpace(item), _options.ListLength, seen, timeMs);
        if (_lastLists.TryGet(user, out var list, out var version))
            _prequential.Add(version, list.IndexOf(item) + 1, popularityRank, timeMs);
        else
            _prequential.Add(Serving.Model.Version, popularityRank, popularityRank, timeMs);
    }

    private ReadOnlySpan<UserEvent> SeenBy(int user)
    {
        var degree = _graph.UserDegree(user);
        if (_seen.Length < degree)
            _seen = new UserEvent[degree * 2];
        return _seen.AsSpan(0, _graph.Recent(user, _seen));
    }

    private void Count(int user, int item, byte type, long timeMs)
    {
        _clock.See(timeMs);
        if (!_types.IsPositive(type))
            return;
        Serving.Counters.Add(Serving.Items.ToSpace(item), timeMs);
        if (_repeats.Observe(user, item, type))
            _stats.SetRepeats(_repeats.RepeatsAllowed);
    }
}
