using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>What is asked about one user in protocol P1.</summary>
/// <param name="User">User index.</param>
/// <param name="Relevant">Distinct items of the judged part that count, ascending.</param>
public sealed record TemporalQuestion(int User, int[] Relevant);

/// <summary>Called for one user of protocol P1.</summary>
/// <param name="k">Position in the list of questions.</param>
/// <param name="context">What the model may know.</param>
/// <param name="relevant">The question's relevant items in the context's numbering, ascending.</param>
/// <param name="workspace">Scratch.</param>
public delegate void JudgeUser(int k, in RankContext context, ReadOnlySpan<int> relevant, RankWorkspace workspace);

/// <summary>
/// Protocol P1: one list for each user who is known at the end of the fit part and comes back after it, made from what was known then, judged by
/// everything the user does up to the end of the judged part. With seen items excluded they are taken out of the list and of what counts.
/// Uses <see cref="RankingModel.Rank"/>, the call the scorer serves with.
/// </summary>
public sealed class TemporalRanking
{
    private readonly EventLog _log;
    private readonly string[] _itemIds;
    private readonly EventTypes _types;
    private readonly SeenRule _seen;
    private readonly int _fitEnd;
    private readonly int _maxHistory;
    private readonly LiveCountersOptions? _windows;

    /// <param name="log">All events.</param>
    /// <param name="itemIds">Id of each of the log's items.</param>
    /// <param name="types">Whose weights say which events count as popularity.</param>
    /// <param name="seen">The task.</param>
    /// <param name="fitEnd">First event nobody knows when the lists are made.</param>
    /// <param name="judgeEnd">First event that is not judged.</param>
    /// <param name="maxHistory">Newest events a ranking reads.</param>
    /// <param name="windows">Windows of the live counters.</param>
    public TemporalRanking(
        EventLog log, string[] itemIds, EventTypes types, SeenRule seen, int fitEnd, int judgeEnd, int maxHistory = 2_000, LiveCountersOptions? windows = null)
    {
        (_log, _itemIds, _types, _seen, _fitEnd, _maxHistory, _windows) = (log, itemIds, types, seen, fitEnd, maxHistory, windows);
        var questions = new List<TemporalQuestion>();
        for (var u = 0; u < log.Users; u++)
        {
            var events = log.EventsOf(u);
            var (known, judged) = (SequenceSampler.LowerBound(events, fitEnd), SequenceSampler.LowerBound(events, judgeEnd));
            if (known == 0 || known == judged)
                continue;
            var relevant = Distinct(events[known..judged]);
            if (seen == SeenRule.Exclude)
                relevant = [.. relevant.Except(Distinct(events[..known]))];
            if (relevant.Length > 0)
                questions.Add(new TemporalQuestion(u, relevant));
        }

        Questions = questions;
    }

    /// <summary>Ascending by user.</summary>
    public IReadOnlyList<TemporalQuestion> Questions { get; }

    /// <summary>Calls <paramref name="judge"/> for each question, in order.</summary>
    public void Visit(RankingModel model, JudgeUser judge, CancellationToken cancel)
    {
        var space = new ItemSpace(model);
        var indexOf = Array.ConvertAll(_itemIds, space.Intern);
        var counters = new LiveCounters(space.Count, _windows);
        for (var e = 0; e < _fitEnd; e++)
        {
            if (_types.IsPositive(_log.Type[e]))
                counters.Add(indexOf[_log.Item[e]], _log.TimeMs[e]);
        }

        var workspace = new RankWorkspace();
        var now = _log.TimeMs[_fitEnd - 1];
        for (var k = 0; k < Questions.Count; k++)
        {
            cancel.ThrowIfCancellationRequested();
            var (user, relevant) = (Questions[k].User, Questions[k].Relevant);
            var events = _log.EventsOf(user);
            events = events[..SequenceSampler.LowerBound(events, _fitEnd)];
            var read = events[Math.Max(0, events.Length - _maxHistory)..].ToArray();
            UserEvent[] history = [.. read.Select(e => _log.Edge(e) with { Item = indexOf[_log.Item[e]] })];
            var context = new RankContext
            {
                History = history,
                Attributes = _log.AttributesOf(user),
                NowMs = now,
                Counters = counters,
                ItemCount = space.Count,
                Seen = _seen,
                Excluded = _seen == SeenRule.Exclude ? [.. events[..(events.Length - read.Length)].ToArray().Select(e => indexOf[_log.Item[e]])] : [],
            };
            int[] wanted = [.. relevant.Select(i => indexOf[i]).Order()];
            judge(k, context, wanted, workspace);
        }
    }

    private int[] Distinct(ReadOnlySpan<int> events)
    {
        var items = new SortedSet<int>();
        foreach (var e in events)
            items.Add(_log.Item[e]);
        return [.. items];
    }
}
