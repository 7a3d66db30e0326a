using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>
/// The scoring thread: reads the log, hands records to <see cref="Scoring"/>, sends what comes out, commits what is done. Everything here runs on
/// that one thread (the client calls its rebalance handlers from within Consume); <see cref="Offer"/> and <see cref="Paused"/> may be used by others.
/// </summary>
internal sealed partial class ScorerLoop : IDisposable
{
    /// <summary>Records handled before the followed topics and the clock are looked at again.</summary>
    private const int Batch = 256;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LagInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PausedLagInterval = TimeSpan.FromSeconds(1);

    private readonly ScorerOptions _options;
    private readonly Scoring _scoring;
    private readonly Output _output;
    private readonly LatestLists _latest;
    private readonly Follower _follower;
    private readonly IConsumer<byte[], byte[]?> _group;
    private readonly InteractionDecoder _decoder;
    private readonly ListWriter _writer;
    private readonly ErasedUsers _erased = new();
    private readonly ScorerStats _stats;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private RankingModel? _offered;
    private volatile bool _paused;
    private volatile bool _pauseApplied;
    private bool _repeatsLogged;
    private long _committedAt, _lagAt;

    public ScorerLoop(
        ScorerOptions options, Resume resume, EventTypes types, LatestLists latest, ScorerStats stats,
        PrequentialEvaluator prequential, TimeProvider time, ILogger logger)
    {
        (_options, _latest, _stats, _time, _logger) = (options, latest, stats, time, logger);
        _scoring = new Scoring(options, types, resume.Graph, stats, prequential, time, OnList);
        _scoring.Preload(resume.Snapshot);
        _usersFrom = resume.UsersNextOffsets;
        foreach (var (partition, next) in resume.Snapshot.NextOffsets)
            _interactions[partition] = new InteractionPartition(next, options.RecentIdsPerPartition);
        _known = [.. resume.Snapshot.NextOffsets.Keys];
        _decoder = new InteractionDecoder(new DecoderOptions { MaxIdLength = options.MaxIdLength }, types);
        _writer = new ListWriter(resume.Graph.ItemId);
        _output = new Output(options, stats, time, logger);
        _follower = new Follower(options, logger);
        _group = BuildGroup();
    }

    /// <summary>Stops or resumes the consumption of interactions and requests; they wait on their topics.</summary>
    public bool Paused
    {
        get => _paused;
        set => _paused = value;
    }

    /// <summary>Whether a pause has taken effect.</summary>
    public bool IsPaused => _pauseApplied;

    /// <summary>Hands over a loaded model; it serves from the next record on. An earlier one not taken yet is dropped.</summary>
    public void Offer(RankingModel model) => Interlocked.Exchange(ref _offered, model);

    /// <summary>Runs until the token is cancelled, then finishes what is open and commits. Throws what makes going on impossible.</summary>
    public void Run(Action started, CancellationToken ct)
    {
        if (!CatchUpCatalogue(ct))
            return;
        TakeModel();
        _group.Subscribe([_options.Topics.Interactions, _options.Topics.Requests]);
        started();
        while (!ct.IsCancellationRequested)
            Step();
        if (!_pauseApplied)
            _scoring.FlushAll();
        if (!_output.Flush(FlushTimeout))
        {
            _logger.Broker(
                $"{_output.InFlight.ToString(CultureInfo.InvariantCulture)} lists were not acknowledged in "
                + $"{FlushTimeout.TotalSeconds:F0} s; they are made again after the restart");
        }
        _output.ThrowIfFailed();
        Commit();
        _group.Close();
    }

    public void Dispose()
    {
        _group.Dispose();
        _follower.Dispose();
        _output.Dispose();
        _writer.Dispose();
    }

    private void Step()
    {
        TakeModel();
        ApplyPause();
        var wait = _pauseApplied ? LongestWait : _scoring.Dirty.UntilDue(LongestWait);
        for (var n = 0; n < Batch && Read(n == 0 ? wait : TimeSpan.Zero) is { } record; n++)
        {
            OnRecord(record);
            FlushDue();
        }

        FlushDue();
        Follow();
        _stats.SetPending(_scoring.Dirty.Count + _output.InFlight);
        _output.ThrowIfFailed();
        if (_time.GetElapsedTime(_lagAt) >= (_pauseApplied ? PausedLagInterval : LagInterval))
            MeasureLag();
        if (_time.GetElapsedTime(_committedAt) >= _options.CommitInterval)
            Commit();
    }

    private void FlushDue()
    {
        if (!_pauseApplied)
            _scoring.FlushDue();
    }

    private ConsumeResult<byte[], byte[]?>? Read(TimeSpan atMost)
    {
        try
        {
            return _group.Consume(atMost);
        }
        catch (ConsumeException e) when (!e.Error.IsFatal)
        {
            _logger.Broker(e.Error.Reason); // such as a topic that is created after us; the client goes on by itself
            return null;
        }
    }

    private void TakeModel()
    {
        if (Interlocked.Exchange(ref _offered, null) is not { } model)
            return;
        _scoring.Swap(model);
        _stats.CountSwap(model.Version);
    }

    /// <summary>Also pauses partitions that were assigned while paused.</summary>
    private void ApplyPause()
    {
        if (_paused == _pauseApplied)
            return;
        if (_paused)
            _group.Pause(_group.Assignment);
        else
            _group.Resume(_group.Assignment);
        _pauseApplied = _paused;
        _logger.Paused(_paused ? "paused" : "resumed");
    }

    private void OnList(in ListHeader header, string key, RankedList list, in Cause cause, OffsetTracker? tracker, long token)
    {
        var json = _writer.Write(header, list);
        _output.SendList(key, json, cause, header.RequestId is not null, tracker, token);
        if (header.RequestId is null)
            _latest.Put(key, json);
        if (_stats.RepeatsAllowed == _repeatsLogged)
            return;
        _repeatsLogged = _stats.RepeatsAllowed;
        _logger.SeenRuleChanged(_repeatsLogged ? "recommended again" : "left out", _scoring.Repeats.Share, _scoring.Repeats.Events);
    }
}
