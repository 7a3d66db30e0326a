using System.Diagnostics;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Ingest;

/// <summary>
/// Applies one partition's batches in order: dead letters out, transaction, Redis. Redis works on one stretch while Postgres works
/// on the next; while more batches wait, a stretch takes in several, so that a person's events of all of them are one read and one write.
/// Ends when its buffer is completed, when it is fenced (<see cref="FencedException"/>) or cancelled.
/// </summary>
internal sealed class PartitionWorker : IAsyncDisposable
{
    /// <summary>Offsets a stretch for Redis ends at even where more batches wait: about 1 MB of rows, and how far Redis may be behind.</summary>
    private const int MaxStretch = 16_000;

    private readonly PostgresGraph _postgres;
    private readonly DeadLetterWriter _deadLetters;
    private readonly RedisFollower _redis;
    private readonly IngestStats _stats;
    private readonly Action<TopicPartitionOffset> _committed;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _cancel = new();
    // One list is with Redis while the next is filled.
    private List<LoggedInteraction> _rows = [];
    private List<LoggedInteraction> _rowsWithRedis = [];
    private Task _redisDone = Task.CompletedTask;
    private long _stretchFrom;
    private long _applied;

    public PartitionWorker(
        PartitionBuffer buffer, long next, PostgresGraph postgres, RedisGraph redis, DeadLetterWriter deadLetters, IngestStats stats,
        Action<TopicPartitionOffset> committed, ILogger log)
    {
        (Buffer, _postgres, _deadLetters, _stats, _committed, _log, _applied) = (buffer, postgres, deadLetters, stats, committed, log, next);
        _redis = new RedisFollower(redis, postgres, buffer.Partition.Partition, log);
        Completion = Task.Run(RunAsync);
    }

    public PartitionBuffer Buffer { get; }

    /// <summary>The offset after the last committed batch.</summary>
    public long Applied => Volatile.Read(ref _applied);

    public bool RedisInStep => _redis.InStep;

    public Task Completion { get; }

    /// <summary>Lets the batch in work finish and drops the rest; what is not committed is read again by the next owner.</summary>
    public async Task StopAsync(bool drop, TimeSpan patience)
    {
        Buffer.Complete(drop);
        try
        {
            await Completion.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            Log.NotDrained(_log, patience.TotalSeconds);
        }
        catch (Exception e) when (e is FencedException or OperationCanceledException)
        {
            // The partition is not ours any more, or we are being cancelled: either way there is nothing to save.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _cancel.CancelAsync();
        try
        {
            await Completion;
        }
        catch (Exception e) when (e is OperationCanceledException or FencedException)
        {
            // Seen by whoever stopped the worker.
        }

        await _redis.DisposeAsync();
        Buffer.Dispose();
        _cancel.Dispose();
    }

    private async Task RunAsync()
    {
        var token = _cancel.Token;
        await _redis.StartAsync(_applied);
        _stretchFrom = _applied;
        while (await Buffer.TakeAsync(token) is { } batch)
        {
            await ApplyAsync(batch, token);
            Buffer.Return(batch);
            if (_applied - _stretchFrom >= MaxStretch || !Buffer.HasReady)
                await OfferAsync();
        }

        await OfferAsync();
        await _redisDone;
    }

    /// <summary>
    /// Hands Redis what was applied since the last time, once it is done with that; input the broker lost in between has no rows. A worker that
    /// is stopped before it gets here leaves the stretch to the next owner, who goes on from Redis' watermark.
    /// </summary>
    private async Task OfferAsync()
    {
        await _redisDone;
        if (_applied == _stretchFrom)
            return;
        (_rows, _rowsWithRedis) = (_rowsWithRedis, _rows);
        _rows.Clear();
        _redisDone = _redis.OfferAsync(_stretchFrom, _applied, _rowsWithRedis);
        _stretchFrom = _applied;
    }

    private async Task ApplyAsync(IngestBatch batch, CancellationToken token)
    {
        var graph = batch.Graph;
        var started = Stopwatch.GetTimestamp();
        if (batch.LostFrom >= 0)
        {
            await _postgres.SkipLostAsync(graph.Topic, graph.Partition, batch.LostFrom, graph.ExpectedOffset, token);
            _stats.AddLost(graph.ExpectedOffset - batch.LostFrom);
            Log.InputLost(_log, graph.ExpectedOffset - batch.LostFrom, graph.Topic, graph.Partition, graph.ExpectedOffset, batch.LostFrom);
        }

        await _deadLetters.WriteAsync(batch.SetAside, token);
        var result = await _postgres.ApplyAsync(graph, token);
        Volatile.Write(ref _applied, graph.NextOffset);
        _stats.AddBatch(result.Applied, result.Duplicates);
        _stats.AddDeadLetters(graph.DeadLetters);
        if (result.Refused > 0)
            _stats.AddDeadLetters(new Dictionary<DeadLetterReason, long> { [DeadLetterReason.Erased] = result.Refused });
        Metrics.BatchEvents.Record(graph.Events.Count);
        Metrics.BatchSeconds.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        _committed(new TopicPartitionOffset(Buffer.Partition, graph.NextOffset));
        for (var i = 0; i < graph.Events.Count; i++)
        {
            if (result.Fresh is null || result.Fresh.Contains(graph.Offsets[i]))
                _rows.Add(new LoggedInteraction(graph.Offsets[i], graph.Events[i]));
        }
    }
}
