using Microsoft.Extensions.Logging;

namespace StreamRec.GraphStore;

/// <summary>
/// Keeps one partition's part of Redis in step with what Postgres has committed. While Redis answers, batches go straight in;
/// when it is away or behind, batches only raise the target, and one background task replays the gap from Postgres until it is
/// closed. Never makes Postgres wait for a Redis that is down. Owned by one partition's worker; not thread-safe but for its own task.
/// </summary>
public sealed class RedisFollower : IAsyncDisposable
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(2);

    private readonly RedisGraph _redis;
    private readonly PostgresGraph _postgres;
    private readonly int _partition;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _catchUp = Task.CompletedTask;
    private bool _behind;
    private long _target;

    /// <param name="redis">The view.</param>
    /// <param name="postgres">The truth.</param>
    /// <param name="partition">Partition of the interactions topic.</param>
    /// <param name="log">Where falling behind and catching up is logged.</param>
    public RedisFollower(RedisGraph redis, PostgresGraph postgres, int partition, ILogger log) =>
        (_redis, _postgres, _partition, _log) = (redis, postgres, partition, log);

    /// <summary>Whether Redis has everything offered so far, as far as known without asking it.</summary>
    public bool InStep
    {
        get
        {
            lock (_gate)
                return !_behind;
        }
    }

    /// <summary>To be called on assignment with the stored offset: a view that is behind starts to catch up.</summary>
    public Task StartAsync(long nextOffset) => OfferAsync(nextOffset, nextOffset, []);

    /// <summary>Brings a committed stretch to Redis, or leaves it to the background task. Completes when Redis has it or is known not to.</summary>
    public async Task OfferAsync(long expected, long next, IReadOnlyList<LoggedInteraction> rows)
    {
        lock (_gate)
        {
            _target = next;
            if (_behind)
                return;
        }

        try
        {
            var applied = await _redis.ApplyAsync(_partition, expected, next, rows);
            if (applied == expected || applied >= next)
                return;
            FallBehind(applied, "watermark");
        }
        catch (Exception e) when (RedisGraph.IsOutage(e))
        {
            Metrics.RedisFailures.Add(1);
            FallBehind(expected, e.Message);
        }
    }

    /// <summary>Waits until Redis has everything offered so far.</summary>
    public Task SettleAsync(CancellationToken cancellation)
    {
        lock (_gate)
            return _catchUp.WaitAsync(cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _catchUp;
        }
        catch (OperationCanceledException)
        {
            // The next owner of the partition goes on from the watermark.
        }

        _stop.Dispose();
    }

    private void FallBehind(long applied, string error)
    {
        lock (_gate)
        {
            _behind = true;
            Log.RedisBehind(_log, _partition, applied, _target, error);
            _catchUp = Task.Run(() => CatchUpAsync(_stop.Token));
        }
    }

    private async Task CatchUpAsync(CancellationToken cancellation)
    {
        var replayed = 0L;
        for (var delay = TimeSpan.FromMilliseconds(50); ; delay = delay < LongestDelay ? delay * 2 : LongestDelay)
        {
            long target;
            lock (_gate)
                target = _target;
            try
            {
                replayed += await _redis.CatchUpAsync(_postgres, _partition, target, cancellation);
                lock (_gate)
                {
                    if (_target == target)
                    {
                        _behind = false;
                        Log.RedisCaughtUp(_log, _partition, replayed, target);
                        return;
                    }
                }

                delay = TimeSpan.FromMilliseconds(25);
            }
            catch (Exception e) when (RedisGraph.IsOutage(e) || e is Npgsql.NpgsqlException)
            {
                Metrics.RedisFailures.Add(1);
                await Task.Delay(delay, cancellation);
            }
        }
    }
}
