using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Local;
using StreamRec.Model;
using StreamRec.Replay;
using StreamRec.Roles;
using StreamRec.Sources;

namespace StreamRec.Demo;

/// <summary>The part of a demo between started roles and the result: replay, watch, wait, compare. One run per instance.</summary>
internal sealed class DemoSession : IDisposable
{
    private const double RequestsPerSecond = 10;

    /// <summary>A fraction of a second of work for the slowest stage: enough to keep it busy, little enough that its lists are fresh.</summary>
    private const int MaxOutstanding = 2_000;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250), Patience = TimeSpan.FromSeconds(15), SettleLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LastTrainingLimit = TimeSpan.FromMinutes(4), InterruptedLimit = TimeSpan.FromSeconds(3);

    private readonly DemoOptions _options;
    private readonly IEventSource _source;
    private readonly LocalServers _servers;
    private readonly RoleHost _host;
    private readonly FileLog _log;
    private readonly Stopwatch _clock;
    private readonly Topics _topics;
    private readonly Expected _expected = new();
    private readonly OutsideJudge _judge = new();
    private readonly TrainingGate _gate = new(Patience, TimeProvider.System);
    private readonly ListWatch _watch;
    private readonly Requester _requester;
    private readonly TopicCounts _counts;
    private readonly Replayer _replayer;
    private readonly DemoObserver _observer;
    private Baseline _before = new(0, 0, 0, 0, new Dictionary<string, long>(), 0);
    private TimeSpan _started, _busy;

    public DemoSession(DemoOptions options, IEventSource source, LocalServers servers, RoleHost host, FileLog log, ILoggerFactory loggers, Stopwatch clock)
    {
        (_options, _source, _servers, _host, _log, _clock) = (options, source, servers, host, log, clock);
        _topics = host.Settings.Topics;
        _watch = new ListWatch(servers.KafkaBootstrap, _topics) { OnList = _judge.List };
        _requester = new Requester(servers.KafkaBootstrap, _topics);
        _counts = new TopicCounts(servers.KafkaBootstrap);
        _replayer = new Replayer(servers.KafkaBootstrap, _topics, Pace(options, host), loggers.CreateLogger<Replayer>())
        {
            TrainingInProgress = () => _gate.Closed(
                _expected.Applied,
                (_host.Triggers?.NextVolume ?? long.MaxValue) - _before.Applied,
                _observer!.RunActive, _observer.EndedRuns),
            OnDelivered = Delivered,
        };
        var first = new DemoSnapshot
        {
            Dataset = source.Name, Speed = options.SpeedText, Total = source.Count, Broker = servers.KafkaKind, Bootstrap = servers.KafkaBootstrap,
            ListsTopic = _topics.Recommendations, Console = options.NoConsole ? null : host.Url,
        };
        _observer = new DemoObserver(first, host, _replayer, _watch, _judge, clock);
    }

    /// <summary>Runs to the end, or until cancelled; then the result says so and holds what was done.</summary>
    /// <exception cref="Exception">A role or the broker failed.</exception>
    public async Task<DemoResult> RunAsync(CancellationToken ct)
    {
        _before = await BaselineAsync(ct);
        using var stop = new CancellationTokenSource();
        using var stopAsking = new CancellationTokenSource();
        using var stopSending = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task[] helpers =
        [
            Task.Factory.StartNew(() => _watch.Run(stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default),
            _observer.RunAsync(LookEvery, stop.Token),
            Task.Run(() => ShowAsync(stop.Token), CancellationToken.None),
            _requester.RunAsync(RequestsPerSecond, stopAsking.Token),
        ];
        var replay = ReplayAsync(stopAsking, stopSending.Token);
        try
        {
            var interrupted = await InterruptedAsync(replay, helpers, ct);
            await stopAsking.CancelAsync();
            if (!interrupted)
                _observer.Phase = DemoPhase.Done;
            using var limit = new CancellationTokenSource(interrupted ? InterruptedLimit : SettleLimit);
            await SettleAsync(interrupted, limit.Token);
            await _observer.LookAsync(CancellationToken.None);
            var result = await ResultAsync(interrupted);
            await stop.CancelAsync();
            await Task.WhenAll(helpers);
            return result;
        }
        finally
        {
            // Also when a role failed: nobody may still use a client when Dispose frees it.
            Array.ForEach([stopSending, stopAsking, stop], s => s.Cancel());
            await Task.WhenAll([replay, .. helpers]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose()
    {
        _replayer.Dispose();
        _watch.Dispose();
        _requester.Dispose();
        _counts.Dispose();
    }

    private static ReplayOptions Pace(DemoOptions options, RoleHost host) => new()
    {
        Speed = options.Speed, Duration = options.Duration, Followed = [host.Settings.Ingest.GroupId, host.Settings.Scorer.GroupId],
        MaxOutstanding = MaxOutstanding, ItemsFollowed = ReplayOptions.CatalogueGroup(host.Settings),
    };

    private void Delivered(SourceMessage message, int partition, long offset)
    {
        _expected.Add(message);
        _judge.Event(message, offset);
        _requester.Event(message);
    }

    /// <summary>Sends everything, waits until it is scored, then for the training run that may still be under way.</summary>
    private async Task ReplayAsync(CancellationTokenSource stopAsking, CancellationToken ct)
    {
        _observer.Phase = DemoPhase.Replaying;
        _started = _clock.Elapsed;
        await _replayer.RunAsync(_source, ct);
        _observer.Phase = DemoPhase.Draining;
        await _replayer.DrainAsync(ct);
        _busy = _clock.Elapsed - _started - _observer.Idle;
        await stopAsking.CancelAsync();
        _observer.Phase = DemoPhase.LastTraining;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(LastTrainingLimit);
        await UntilAsync(() => !_observer.RunActive, limit.Token, ct);
    }

    /// <summary>Waits until Postgres accounts for every message of the topic and the outside consumer has read every list; the limit ends the wait.</summary>
    private async Task SettleAsync(bool interrupted, CancellationToken limit)
    {
        try
        {
            while (true)
            {
                var outcome = await OutcomeAsync(withDigest: false, limit);
                var read = _watch.Lists + _watch.Missed >= _counts.Messages(_topics.Recommendations, Partitions(_topics.Recommendations));
                var answered = _watch.Answers >= _requester.Asked || interrupted;
                if (outcome.Applied + outcome.Duplicates + outcome.DeadLetterTotal + outcome.Lost >= outcome.Produced && read && answered)
                    return;
                await Task.Delay(LookEvery, limit);
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // Whatever is missing now is reported as missing.
        }
    }

    private async Task<DemoResult> ResultAsync(bool interrupted)
    {
        var outcome = await OutcomeAsync(withDigest: true, CancellationToken.None);
        var expected = new ExpectedOutcome(_expected.Applied, _expected.Duplicates, _expected.DeadLetters, _expected.Digest);
        // Events of another producer (somebody tries kcat) or rows of an earlier run are none of the input's: then only the sum can be checked.
        var alone = outcome.Produced == _expected.Produced && _before.Applied == 0;
        var last = _observer.Snapshot;
        return new DemoResult
        {
            Dataset = _source.Name, Speed = _options.SpeedText, Broker = _servers.KafkaKind, Interrupted = interrupted, Outcome = outcome, Expected = expected,
            Faults = interrupted ? [] : Accounting.Faults(outcome, alone ? expected : null), OthersEvents = outcome.Produced - _expected.Produced,
            Graph = await _host.Stores.Graph.StatsAsync(CancellationToken.None), Models = [.. last.Models.Reverse()], Runs = [.. last.Runs.Reverse()],
            Lists = last.Lists,
            ListsInTopic = _counts.Messages(_topics.Recommendations, Partitions(_topics.Recommendations)) - _before.Lists,
            ListsSeenOutside = _watch.Lists,
            RequestsAsked = _requester.Asked, RequestsAnswered = _watch.Answers, EventToList = last.EventToList, RequestToList = last.RequestToList,
            Prequential = _host.Scorer!.Stats.Prequential, Outside = _judge.Verdict(),
            Busy = _busy > TimeSpan.Zero ? _busy : _clock.Elapsed - _started - _observer.Idle, IdleForTraining = _observer.Idle, Wall = _clock.Elapsed,
        };
    }

    private async Task<Outcome> OutcomeAsync(bool withDigest, CancellationToken ct)
    {
        var graph = _host.Stores.Graph;
        var produced = _counts.Messages(_topics.Interactions, Partitions(_topics.Interactions)) - _before.Produced;
        var progress = await graph.ProgressAsync(_topics.Interactions, ct);
        var deadLetters = await graph.DeadLetterCountsAsync(ct);
        return new Outcome(
            produced, progress.Sum(p => p.Applied) - _before.Applied, progress.Sum(p => p.Duplicates) - _before.Duplicates,
            deadLetters.Where(d => d.Value > _before.DeadLetters.GetValueOrDefault(d.Key))
                .ToDictionary(d => d.Key, d => d.Value - _before.DeadLetters.GetValueOrDefault(d.Key)),
            progress.Sum(p => p.Lost) - _before.Lost, withDigest ? await graph.DigestAsync(ct) : "");
    }

    /// <summary>What was there before: nothing, unless the servers are the user's own.</summary>
    private async Task<Baseline> BaselineAsync(CancellationToken ct)
    {
        var outcome = await OutcomeAsync(withDigest: false, ct);
        return new Baseline(
            outcome.Produced, outcome.Applied, outcome.Duplicates, outcome.Lost, outcome.DeadLetters,
            _counts.Messages(_topics.Recommendations, Partitions(_topics.Recommendations)));
    }

    private int Partitions(string topic) => _topics.All.Single(t => t.Name == topic).Partitions;

    private async Task ShowAsync(CancellationToken ct)
    {
        var screen = !_options.NoConsole && Screen.Possible ? new Screen() : null;
        var plain = new PlainProgress(System.Console.Out, TimeSpan.FromSeconds(5));
        using var timer = new PeriodicTimer(LookEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                var snapshot = _observer.Snapshot with
                {
                    Elapsed = _clock.Elapsed,
                    Problem = _log.Newest is { } p && p.At > DateTimeOffset.Now.AddSeconds(-30) ? p.Text : null,
                };
                if (screen is not null)
                    screen.Show(snapshot);
                else
                    plain.Show(snapshot);
            }
        }
        catch (OperationCanceledException)
        {
            // The demo is over.
        }
        finally
        {
            screen?.Dispose();
        }
    }

    /// <summary>Waits for the work, unless a role or a helper fails first. The answer says whether it was cancelled instead of done.</summary>
    private async Task<bool> InterruptedAsync(Task work, Task[] helpers, CancellationToken ct)
    {
        try
        {
            var first = await Task.WhenAny([work, _host.Completion, .. helpers.Where(h => !h.IsCompletedSuccessfully)]);
            while (first != work && first.IsCompletedSuccessfully && helpers.Contains(first))
                first = await Task.WhenAny([work, _host.Completion, .. helpers.Where(h => !h.IsCompletedSuccessfully)]);
            await first;
            if (first != work)
                throw new InvalidOperationException("the roles stopped before the demo was over");
            return false;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return true;
        }
    }

    private static async Task UntilAsync(Func<bool> condition, CancellationToken limit, CancellationToken ct)
    {
        try
        {
            while (!condition())
                await Task.Delay(LookEvery, limit);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // Long enough: the run is cancelled with the roles, and its row says so.
        }
    }

    private sealed record Baseline(long Produced, long Applied, long Duplicates, long Lost, IReadOnlyDictionary<string, long> DeadLetters, long Lists);
}
