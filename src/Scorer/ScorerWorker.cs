using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>
/// The scorer: interactions and requests in, ranked lists out on recommendations.v1 and into Redis. Start it with <see cref="RunAsync"/>, stop it by
/// cancelling; several with the same group share the partitions. Each interaction is applied to this instance's live graph exactly once and leads to
/// a list of its user; each request is answered by one list. After a crash, what was not committed is scored again: a list may come twice, none is
/// lost. Start-up costs a snapshot of the graph (about 1 s per million interactions) plus the log behind it.
/// </summary>
public sealed class ScorerWorker : IDisposable
{
    private readonly ScorerOptions _options;
    private readonly PostgresGraph _graph;
    private readonly RedisGraph _redis;
    private readonly EventTypes _types;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly PrequentialEvaluator _prequential;
    private readonly ModelWatcher _models;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ScorerLoop? _loop;
    private volatile bool _paused;

    /// <param name="options">Checked here.</param>
    /// <param name="graph">Source of the snapshot.</param>
    /// <param name="redis">Where the latest lists go.</param>
    /// <param name="registry">Whose champion serves.</param>
    /// <param name="types">The same as Ingest uses.</param>
    /// <param name="loggers">For log lines 2000+.</param>
    /// <param name="time">For tests; the system's clock by default.</param>
    /// <exception cref="ArgumentException">A setting cannot work; the message names it.</exception>
    public ScorerWorker(
        ScorerOptions options, PostgresGraph graph, RedisGraph redis, ModelRegistry registry,
        EventTypes types, ILoggerFactory loggers, TimeProvider? time = null)
    {
        options.Validate();
        (_options, _graph, _redis, _types) = (options, graph, redis, types);
        _logger = loggers.CreateLogger<ScorerWorker>();
        _time = time ?? TimeProvider.System;
        _prequential = new PrequentialEvaluator(options.PrequentialWindow);
        Stats = new ScorerStats(_prequential);
        _models = new ModelWatcher(registry, options, _time, _logger);
    }

    /// <summary>Readable at any time from any thread.</summary>
    public ScorerStats Stats { get; }

    /// <summary>Done when the snapshot is loaded, the champion serves and the log is being read.</summary>
    public Task Started => _started.Task;

    /// <summary>
    /// While true nothing is consumed and no list is produced; requests and interactions wait on their topics. May be set at any time, also before
    /// the start; takes effect within 20 ms.
    /// </summary>
    public bool Paused
    {
        get => _paused;
        set
        {
            _paused = value;
            if (Volatile.Read(ref _loop) is { } loop)
                loop.Paused = value;
        }
    }

    /// <summary>Whether a pause has taken effect: nothing is consumed any more.</summary>
    public bool IsPaused => Volatile.Read(ref _loop) is { IsPaused: true };

    /// <summary>Partitions of interactions and requests this instance owns now.</summary>
    public int AssignedPartitions => Volatile.Read(ref _loop)?.AssignedPartitions ?? 0;

    /// <summary>Looks for a new champion now instead of at the next poll.</summary>
    public void PollModelsNow() => _models.LookNow();

    /// <summary>Runs until cancelled; then sends the lists still open, commits and returns. One call per instance.</summary>
    /// <exception cref="InvalidOperationException">A topic is missing, or the broker refused a list for good.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        using var latest = new LatestLists((user, json) => _redis.SetLatestAsync(user, json), _redis.RemoveLatestAsync, Stats, _time, _logger);
        using var stopHelpers = new CancellationTokenSource();
        using var stopLoop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            using var loop = await BuildAsync(latest, ct);
            var scoring = Task.Factory.StartNew(
                () => loop.Run(_started.SetResult, stopLoop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Task[] helpers = [_models.RunAsync(loop.Offer, stopHelpers.Token), latest.RunAsync(stopHelpers.Token)];
            await Task.WhenAny([scoring, .. helpers]); // whichever ends first, well or not, ends the others
            await stopLoop.CancelAsync();
            await Task.WhenAny(scoring); // the open lists go out before their helpers stop
            await stopHelpers.CancelAsync();
            await EndAsync(scoring, helpers, stopHelpers.Token);
        }
        catch (Exception e)
        {
            _started.TrySetException(e);
            throw;
        }

        _started.TrySetCanceled(ct);
        _logger.Stopped(_options.GroupId, Stats.Lists, Stats.Applied);
    }

    public void Dispose() => _models.Dispose();

    private async Task<ScorerLoop> BuildAsync(LatestLists latest, CancellationToken ct)
    {
        // Before the snapshot: an erasure that comes between the two is read again, which does no harm.
        var users = await _graph.NextOffsetsAsync(_options.Topics.Users, ct);
        var snapshot = await _graph.SnapshotAsync(null, ct);
        var live = LiveGraph.Load(snapshot, _options.Graph, ct);
        var model = await _models.LookAsync(ct);
        var loop = new ScorerLoop(_options, new Resume(live, snapshot, users), _types, latest, Stats, _prequential, _time, _logger);
        if (model is not null)
            loop.Offer(model);
        Volatile.Write(ref _loop, loop);
        loop.Paused = _paused;
        _logger.Started(_options.GroupId, live.UserCount, live.ItemCount, live.EdgeCount, model?.Version ?? 0);
        return loop;
    }

    private static async Task EndAsync(Task scoring, Task[] helpers, CancellationToken stopped)
    {
        try
        {
            await Task.WhenAll([scoring, .. helpers]);
        }
        catch (OperationCanceledException) when (stopped.IsCancellationRequested && !scoring.IsFaulted && !helpers.Any(h => h.IsFaulted))
        {
            // They were told to stop.
        }
    }
}
