using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>Called for one judged event, right before it happened.</summary>
/// <param name="k">Position in the list of judged events.</param>
/// <param name="context">What the model may know.</param>
/// <param name="target">The event's item in the context's numbering.</param>
/// <param name="workspace">Of the calling thread.</param>
public delegate void JudgeEvent(int k, in RankContext context, int target, RankWorkspace workspace);

/// <summary>
/// Replays a stretch of the log and asks a model, right before each judged event, to rank that event's item among the whole catalogue: protocols P2
/// (events with a smaller index are visible) and P2-strict (of the same user only those with a smaller time; live counters always by index).
/// Uses <see cref="RankingModel.Rank"/>, the call the scorer serves with, so an offline number is about served lists. No sampling of candidates,
/// no retraining meanwhile. Deterministic whatever the number of threads.
/// </summary>
/// <param name="log">All events.</param>
/// <param name="itemIds">Id of each of the log's items: models have item orders of their own.</param>
/// <param name="types">Whose weights say which events count as popularity.</param>
/// <param name="seen">Exclude: the visible history is taken out of the lists, and an event on an item in it is not judged (rank 0).</param>
/// <param name="strict">P2-strict.</param>
/// <param name="maxHistory">Newest events a ranking reads; older ones are only taken out of the lists, as in the scorer.</param>
/// <param name="windows">Windows of the live counters; the default is the scorer's.</param>
public sealed class Prequential(
    EventLog log, string[] itemIds, EventTypes types, SeenRule seen, bool strict, int maxHistory = 2_000, LiveCountersOptions? windows = null)
{
    /// <summary>Name of the blended list among the channels' names.</summary>
    public const string Blend = "blend";

    /// <summary>Length of the ranked list; an item beyond it has <see cref="Missed"/>.</summary>
    public const int ListLength = 20;

    /// <summary>Rank of an item that is not among the first <see cref="ListLength"/> of a blended list.</summary>
    public const int Missed = int.MaxValue;

    /// <summary>
    /// At most <paramref name="count"/> events of [from, to), evenly spread, on items somebody could want to be recommended; with seen items excluded, not on
    /// those of the visible history.
    /// </summary>
    public int[] Spread(int from, int to, int count)
    {
        var judged = Every(from, to, 1);
        return judged.Length <= count ? judged : [.. Enumerable.Range(0, count).Select(k => judged[(int)((long)k * judged.Length / count)])];
    }

    /// <summary>Each <paramref name="step"/>-th event of [from, to), those left out that are not asked about (see <see cref="Spread"/>).</summary>
    public int[] Every(int from, int to, int step) =>
        [.. Enumerable.Range(from, Math.Max(0, to - from)).Where(e => (e - from) % step == 0 && types.IsPositive(log.Type[e]) && !IsExcluded(e))];

    /// <summary>
    /// Ranks of the events' items by the model's lists, under <see cref="Blend"/>, and by each of the channels alone, under its name; and the items that any
    /// of the lists showed, in the numbering of the model.
    /// </summary>
    /// <remarks>Cost: 2 scorings of the catalogue by each channel per event.</remarks>
    /// <param name="model">Judged.</param>
    /// <param name="events">Ascending event indices, as from <see cref="Spread"/>.</param>
    /// <param name="channels">Channels to judge alone; must be the model's.</param>
    /// <param name="cancel">Checked per event.</param>
    /// <param name="blended">False leaves the blended list out.</param>
    /// <param name="judged">Called after each event, from any thread; may be null.</param>
    public (Dictionary<string, int[]> Ranks, int[] Shown) Ranks(
        RankingModel model, int[] events, IReadOnlyList<string> channels, CancellationToken cancel,
        bool blended = true, Action? judged = null)
    {
        var ranks = (blended ? channels.Append(Blend) : channels).ToDictionary(c => c, _ => new int[events.Length], StringComparer.Ordinal);
        var parts = Math.Min(Math.Max(1, events.Length / 64), Environment.ProcessorCount);
        var shown = new bool[model.ItemCount + itemIds.Length];
        void Judge(int k, in RankContext context, int target, RankWorkspace workspace)
        {
            judged?.Invoke();
            if (blended)
            {
                var list = model.Rank(context, ListLength, workspace);
                ranks[Blend][k] = RankInList(list, target);
                foreach (var line in list)
                    shown[line.Item] = true; // threads only ever write true
            }

            if (channels.Count == 0)
                return;
            var scores = new float[context.ItemCount];
            foreach (var channel in channels)
            {
                if (!model.ScoreChannel(channel, context, workspace, scores))
                    Array.Clear(scores);
                ranks[channel][k] = RankByScore(scores, context, target, model.FitCounts);
            }
        }

        Visit(model, events, parts, Judge, cancel);
        return (ranks, [.. shown.Index().Where(s => s.Item).Select(s => s.Index)]);
    }

    /// <summary>
    /// Calls <paramref name="judge"/> for each event with what a model may know
    /// then; in order within each of <paramref name="parts"/> threads' stretches.
    /// </summary>
    public void Visit(RankingModel model, int[] events, int parts, JudgeEvent judge, CancellationToken cancel)
    {
        var space = new Space(model, itemIds);
        // Live counters move forward in time with one writer: each thread replays the log up to its own stretch.
        var size = (events.Length + parts - 1) / parts;
        Parallel.For(0, parts, new ParallelOptions { CancellationToken = cancel }, part =>
        {
            var replay = new Replay(this, space);
            for (var k = part * size; k < Math.Min(events.Length, (part + 1) * size); k++)
            {
                cancel.ThrowIfCancellationRequested();
                replay.Judge(k, events[k], judge);
            }
        });
    }

    private int Visible(int e) => strict ? log.StrictPosition[e] : log.Position[e];

    private bool IsExcluded(int e)
    {
        if (seen == SeenRule.Repeat)
            return false;
        foreach (var earlier in log.EventsOf(log.User[e])[..Visible(e)])
        {
            if (log.Item[earlier] == log.Item[e])
                return true;
        }

        return false;
    }

    private static int RankInList(ReadOnlySpan<RankedItem> list, int target)
    {
        for (var r = 0; r < list.Length; r++)
        {
            if (list[r].Item == target)
                return r + 1;
        }

        return Missed;
    }

    /// <summary>Order: score descending, fit count descending, index ascending. Overwrites removed items' scores.</summary>
    private static int RankByScore(Span<float> scores, in RankContext context, int target, ReadOnlySpan<float> counts)
    {
        var (own, ownCount) = (scores[target], target < counts.Length ? counts[target] : 0);
        if (context.Seen == SeenRule.Exclude)
        {
            foreach (var e in context.History)
                scores[e.Item] = float.NaN; // neither ahead of nor level with anything
            foreach (var item in context.Excluded)
                scores[item] = float.NaN;
        }

        var ahead = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            var count = i < counts.Length ? counts[i] : 0;
            if (scores[i] > own || (scores[i] == own && (count > ownCount || (count == ownCount && i < target))))
                ahead++;
        }

        return ahead + 1;
    }

    /// <summary>The log's items in the numbering of one model: its own, then those born after it.</summary>
    private sealed class Space
    {
        public Space(RankingModel model, string[] itemIds)
        {
            IndexOf = new int[itemIds.Length];
            Count = model.ItemCount;
            for (var i = 0; i < itemIds.Length; i++)
                IndexOf[i] = model.TryGetItem(itemIds[i], out var index) ? index : Count++;
        }

        public int[] IndexOf { get; }
        public int Count { get; }
    }

    private sealed class Replay(Prequential owner, Space space)
    {
        private readonly LiveCounters _counters = new(space.Count, owner.Windows);
        private readonly RankWorkspace _workspace = new();
        private UserEvent[] _history = new UserEvent[64];
        private int[] _excluded = [];
        private int _counted;

        public void Judge(int k, int e, JudgeEvent judge)
        {
            CountUpTo(e);
            var context = new RankContext
            {
                History = HistoryOf(e),
                Attributes = owner.Log.AttributesOf(owner.Log.User[e]),
                NowMs = owner.Log.TimeMs[e],
                Counters = _counters,
                ItemCount = space.Count,
                Seen = owner.Seen,
                Excluded = Older(e),
            };
            judge(k, context, space.IndexOf[owner.Log.Item[e]], _workspace);
        }

        private void CountUpTo(int end)
        {
            for (; _counted < end; _counted++)
            {
                if (owner.Types.IsPositive(owner.Log.Type[_counted]))
                    _counters.Add(space.IndexOf[owner.Log.Item[_counted]], owner.Log.TimeMs[_counted]);
            }

            _counters.AdvanceTo(owner.Log.TimeMs[end]);
        }

        private ReadOnlySpan<UserEvent> HistoryOf(int e)
        {
            var visible = owner.Visible(e);
            var count = Math.Min(visible, owner.MaxHistory);
            if (_history.Length < count)
                _history = new UserEvent[2 * count];
            var events = owner.Log.EventsOf(owner.Log.User[e])[(visible - count)..visible];
            for (var k = 0; k < count; k++)
                _history[k] = owner.Log.Edge(events[k]) with { Item = space.IndexOf[owner.Log.Item[events[k]]] };
            return _history.AsSpan(0, count);
        }

        /// <summary>Items of the visible events that are too old to be read.</summary>
        private ReadOnlySpan<int> Older(int e)
        {
            var count = owner.Seen == SeenRule.Exclude ? owner.Visible(e) - owner.MaxHistory : 0;
            if (count <= 0)
                return [];
            if (_excluded.Length < count)
                _excluded = new int[2 * count];
            var events = owner.Log.EventsOf(owner.Log.User[e])[..count];
            for (var k = 0; k < count; k++)
                _excluded[k] = space.IndexOf[owner.Log.Item[events[k]]];
            return _excluded.AsSpan(0, count);
        }
    }

    private int MaxHistory => maxHistory;

    private LiveCountersOptions? Windows => windows;

    private EventLog Log => log;

    private EventTypes Types => types;

    private SeenRule Seen => seen;
}
