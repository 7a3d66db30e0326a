using System.Diagnostics;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Replay;
using StreamRec.Roles;

namespace StreamRec.Demo;

/// <summary>
/// Looks at everything a demo shows: the truth from Postgres a few times a second, the rest from counters in memory. One look at a time;
/// <see cref="Snapshot"/> may be read by any thread.
/// </summary>
internal sealed class DemoObserver(DemoSnapshot start, RoleHost host, Replayer replayer, ListWatch watch, OutsideJudge judge, Stopwatch clock)
{
    private static readonly TimeSpan SizesEvery = TimeSpan.FromSeconds(3), VerdictEvery = TimeSpan.FromSeconds(5);

    private readonly DemoHistory _history = new(3);
    private readonly string _topic = host.Settings.Topics.Interactions;
    private TimeSpan _sizesAt = TimeSpan.MinValue, _verdictAt = TimeSpan.MinValue;
    private DemoSnapshot _snapshot = start;
    private volatile int _endedRuns;
    private volatile bool _runActive;

    public DemoSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>A training run is requested or running, as of the last look.</summary>
    public bool RunActive => _runActive;

    /// <summary>Runs that had ended at the last look.</summary>
    public int EndedRuns => _endedRuns;

    public DemoPhase Phase { get; set; }

    /// <summary>How long the pipeline had nothing to do because the replay stood still for training.</summary>
    public TimeSpan Idle { get; private set; }

    /// <summary>Looks until cancelled.</summary>
    public async Task RunAsync(TimeSpan every, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(every);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
                await LookAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // The demo is over.
        }
    }

    /// <summary>One look: four small queries, and now and then the graph's exact size.</summary>
    public async Task LookAsync(CancellationToken ct)
    {
        var stores = host.Stores;
        var progress = await stores.Graph.ProgressAsync(_topic, ct);
        var deadLetters = await stores.Graph.DeadLetterCountsAsync(ct);
        var runs = await stores.Registry.Runs.ListAsync(50, ct);
        var models = await stores.Registry.ListAsync(50, ct);
        var last = Snapshot;
        var graph = last.Graph;
        if (clock.Elapsed - SizesEvery > _sizesAt)
        {
            graph = await stores.Graph.StatsAsync(ct);
            _sizesAt = clock.Elapsed;
        }

        _endedRuns = runs.Count(r => r.EndedAt is not null);
        _runActive = runs.Any(r => r.Status is RunStatus.Requested or RunStatus.Running);
        var stats = host.Scorer!.Stats;
        var hold = replayer.Stats.Holding;
        if (hold == Hold.Training && last.Hold == Hold.Training && replayer.Outstanding == 0)
            Idle += clock.Elapsed - last.Elapsed;
        var applied = progress.Sum(p => p.Applied);
        _history.Add(replayer.Stats.Sent, applied, stats.Lists);
        Volatile.Write(ref _snapshot, last with
        {
            Phase = Phase, Elapsed = clock.Elapsed, Sent = replayer.Stats.Sent, Hold = hold,
            SentPerSecond = _history.Rates(0), AppliedPerSecond = _history.Rates(1), ListsPerSecond = _history.Rates(2),
            IngestLag = replayer.Lags[0].Lag, ScorerLag = stats.Lag, Applied = applied,
            Duplicates = progress.Sum(p => p.Duplicates), DeadLetters = deadLetters,
            Graph = graph,
            Runs = runs, Models = models, ServingVersion = stats.ModelVersion, Lists = stats.Lists, ListsSeenOutside = watch.Lists,
            EventToList = stats.EventToList.Summary(), RequestToList = stats.RequestToList.Summary(),
            Prequential = stats.Prequential,
            Samples = stats.SampleUsers,
            Achievable = Achievable(last.Achievable),
        });
    }

    private double? Achievable(double? last)
    {
        if (clock.Elapsed - VerdictEvery < _verdictAt)
            return last;
        _verdictAt = clock.Elapsed;
        var verdict = judge.Verdict();
        return verdict.Chosen.N > 0 ? verdict.Chosen.AchievableHr10 : null;
    }
}
