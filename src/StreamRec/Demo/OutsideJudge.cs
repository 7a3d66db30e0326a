using StreamRec.Contracts;
using StreamRec.Sources;

namespace StreamRec.Demo;

/// <summary>How the lists did, seen from outside.</summary>
/// <param name="Events">Good positive events whose user had a list before.</param>
/// <param name="Hr10">Share of them whose item stood in the first ten of that list.</param>
/// <param name="Chosen">Of these, the events a simulated person chose, so that the truth about them is known.</param>
/// <param name="ByModel">Of the chosen ones, those held against a list some model made.</param>
internal sealed record OutsideVerdict(long Events, double Hr10, ChosenVerdict Chosen, ChosenVerdict ByModel);

/// <summary>Lists against the truth, on events simulated people chose.</summary>
/// <param name="N">How many.</param>
/// <param name="Hr10">The lists' hit rate at 10.</param>
/// <param name="OracleHr10">That of somebody who ranks by the true probability, the same items left out.</param>
/// <param name="AchievableHr10">What the oracle could expect: the ceiling, without its luck.</param>
internal sealed record ChosenVerdict(long N, double Hr10, double OracleHr10, double AchievableHr10)
{
    /// <summary>How much of the achievable hit rate the lists reached; 0 where nothing is known about it.</summary>
    public double Share => AchievableHr10 > 0 ? Hr10 / AchievableHr10 : 0;
}

/// <summary>
/// A second opinion on accuracy that knows nothing of the scorer but its messages: what was sent to interactions.v1 and what came out on
/// recommendations.v1. An event at offset o is held against the last list of its user caused by an offset below o: the list that stood
/// before it in log order. Thread-safe. Memory: about 150 bytes per list and 60 per event.
/// </summary>
internal sealed class OutsideJudge
{
    private const int Top = 10;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _items = new(StringComparer.Ordinal);
    private readonly Dictionary<string, User> _users = new(StringComparer.Ordinal);

    /// <summary>An acknowledged interaction.</summary>
    public void Event(in SourceMessage message, long offset)
    {
        if (message.Fate != Fate.Applied || !EventTypes.Default.IsPositive(message.Interaction.Type))
            return;
        lock (_lock)
            Of(message.Interaction.UserId).Events.Add((offset, Item(message.Interaction.ItemId), message.Truth));
    }

    /// <summary>A list read from the topic.</summary>
    public void List(RecommendationList list)
    {
        if (list is not { UserId: { } user, CausedBy: { } cause, RequestId: null })
            return;
        lock (_lock)
        {
            var items = new int[Math.Min(Top, list.Items.Count)];
            for (var i = 0; i < items.Length; i++)
                items[i] = Item(list.Items[i].ItemId);
            Of(user).Lists.Add((cause.Offset, list.ModelVersion > 0, items));
        }
    }

    /// <summary>The verdict over everything seen so far. Cost O(lists + events), with sorting.</summary>
    public OutsideVerdict Verdict()
    {
        long events = 0, hits = 0;
        var (chosen, byModel) = (new Tally(), new Tally());
        lock (_lock)
        {
            foreach (var user in _users.Values)
            {
                user.Sort();
                var before = -1;
                foreach (var (offset, item, truth) in user.Events)
                {
                    while (before + 1 < user.Lists.Count && user.Lists[before + 1].Offset < offset)
                        before++;
                    if (before < 0)
                        continue;
                    var hit = Array.IndexOf(user.Lists[before].Items, item) >= 0;
                    events++;
                    hits += hit ? 1 : 0;
                    if (truth is null)
                        continue;
                    chosen.Add(hit, truth);
                    if (user.Lists[before].ByModel)
                        byModel.Add(hit, truth);
                }
            }
        }

        return new OutsideVerdict(events, Share(hits, events), chosen.Verdict(), byModel.Verdict());
    }

    private static double Share(long part, long whole) => whole == 0 ? 0 : part / (double)whole;

    private User Of(string id) => _users.TryGetValue(id, out var user) ? user : _users[id] = new User();

    private int Item(string id) => _items.TryGetValue(id, out var item) ? item : _items[id] = _items.Count;

    private sealed class Tally
    {
        private long _n, _hits, _oracleHits;
        private double _achievable;

        public void Add(bool hit, ChoiceTruth truth)
        {
            _n++;
            _hits += hit ? 1 : 0;
            _oracleHits += truth.OracleRank <= Top ? 1 : 0;
            _achievable += truth.OracleMass;
        }

        public ChosenVerdict Verdict() => new(_n, Share(_hits, _n), Share(_oracleHits, _n), _n == 0 ? 0 : _achievable / _n);
    }

    private sealed class User
    {
        public readonly List<(long Offset, int Item, ChoiceTruth? Truth)> Events = [];
        public readonly List<(long Offset, bool ByModel, int[] Items)> Lists = [];

        /// <summary>Both come nearly in order; of lists caused by the same event the later one stays last.</summary>
        public void Sort()
        {
            Order(Events, e => e.Offset);
            Order(Lists, l => l.Offset);
        }

        private static void Order<T>(List<T> list, Func<T, long> key)
        {
            for (var i = 1; i < list.Count; i++)
            {
                if (key(list[i]) >= key(list[i - 1]))
                    continue;
                var sorted = list.OrderBy(key).ToList(); // stable
                list.Clear();
                list.AddRange(sorted);
                return;
            }
        }
    }
}
