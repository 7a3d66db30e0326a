using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Scorer;

/// <summary>
/// Keeps three recently active users for display. A user keeps the place while active; one idle for <see cref="Patience"/> gives it to the next
/// who gets a list. Refreshed at most every <see cref="Pause"/>, because somebody reads along. One writing thread.
/// </summary>
internal sealed class SampleBoard(LiveGraph graph, Catalogue catalogue, EventTypes types, TimeProvider time, ScorerStats stats)
{
    private const int Places = 3;
    private const int Shown = 5;
    private const int MinEvents = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private readonly (int User, long At, SampleUser? Sample)[] _places = [(-1, 0, null), (-1, 0, null), (-1, 0, null)];
    private readonly UserEvent[] _events = new UserEvent[Shown];

    public void Offer(int user, RankedList list)
    {
        var now = time.GetTimestamp();
        var place = PlaceOf(user, now);
        if (place < 0 || graph.UserDegree(user) < MinEvents)
            return;
        _places[place] = (user, now, Describe(user, list));
        stats.SetSamples([.. _places.Where(p => p.Sample is not null).Select(p => p.Sample!)]);
    }

    public void Remove(int user)
    {
        for (var i = 0; i < Places; i++)
        {
            if (_places[i].User == user)
                _places[i] = (-1, 0, null);
        }

        stats.SetSamples([.. _places.Where(p => p.Sample is not null).Select(p => p.Sample!)]);
    }

    /// <summary>The user's own place when it is time to refresh it, else a place to take over, else -1.</summary>
    private int PlaceOf(int user, long now)
    {
        var free = -1;
        for (var i = 0; i < Places; i++)
        {
            var age = time.GetElapsedTime(_places[i].At, now);
            if (_places[i].User == user)
                return age >= Pause ? i : -1;
            if (free < 0 && (_places[i].Sample is null || age >= Patience))
                free = i;
        }

        return free;
    }

    private SampleUser Describe(int user, RankedList list)
    {
        var events = new List<SampleEvent>(Shown);
        foreach (var e in _events.AsSpan(0, graph.Recent(user, _events)))
        {
            events.Add(new SampleEvent(
                graph.ItemId(e.Item), catalogue.TitleOf(e.Item), types.Find(e.Type)?.Name ?? "?", DateTimeOffset.FromUnixTimeMilliseconds(e.TimeMs)));
        }

        var items = new List<SampleItem>(Shown);
        foreach (ref readonly var entry in list.Entries[..Math.Min(Shown, list.Count)])
        {
            var evidence = new string[entry.EvidenceCount];
            for (var i = 0; i < evidence.Length; i++)
                evidence[i] = catalogue.TitleOf(entry.Evidence[i]) is { Length: > 0 } title ? title : graph.ItemId(entry.Evidence[i]);
            var reason = evidence.Length == 0 ? Reasons.WithoutEvidence(entry.Channel) : Reasons.BeforeEvidence(entry.Channel) + string.Join(", ", evidence);
            items.Add(new SampleItem(graph.ItemId(entry.Item), catalogue.TitleOf(entry.Item), entry.Channel, reason));
        }

        return new SampleUser(graph.UserId(user), list.ModelVersion, events, items);
    }
}
