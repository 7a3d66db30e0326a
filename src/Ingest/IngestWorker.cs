using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Ingest;

/// <summary>
/// Reads interactions.v1, items.v1 and users.v1 into the graph. Effectively once: an event's effect and the offset behind it are
/// one Postgres transaction; Redis follows by watermark; what cannot be decoded is on deadletters.v1 before its offset moves.
/// Several processes share the partitions as one consumer group.
/// </summary>
public sealed class IngestWorker
{
    private readonly IngestOptions _options;
    private readonly PostgresGraph _postgres;
    private readonly RedisGraph _redis;
    private readonly EventTypes _types;
    private readonly ILoggerFactory _loggers;
    private readonly ReplayFrom? _from;

    /// <param name="options">How it reads.</param>
    /// <param name="postgres">Where the graph goes.</param>
    /// <param name="redis">The view that follows.</param>
    /// <param name="types">The event types that are accepted.</param>
    /// <param name="loggers">For log lines 1000+.</param>
    /// <param name="from">Where a fresh schema begins; at the start of the log where null.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    public IngestWorker(IngestOptions options, PostgresGraph postgres, RedisGraph redis, EventTypes types, ILoggerFactory loggers, ReplayFrom? from = null)
    {
        options.Check();
        (_options, _postgres, _redis, _types, _loggers, _from) = (options, postgres, redis, types, loggers, from);
        Stats = new IngestStats { Trouble = () => postgres.Trouble };
    }

    /// <summary>Counters of this worker, live.</summary>
    public IngestStats Stats { get; }

    /// <summary>
    /// Runs until cancelled, then applies what is decoded (up to <see cref="IngestOptions.DrainTimeout"/>) and leaves the group.
    /// Outages of Postgres, Redis and Kafka are waited out; an error that waiting cannot mend is thrown.
    /// </summary>
    public async Task RunAsync(CancellationToken cancellation = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var deadLetters = new DeadLetterWriter(_options, _loggers.CreateLogger<DeadLetterWriter>());
        using var interactions = new InteractionConsumer(_options, _postgres, _redis, deadLetters, _types, Stats, _from, _loggers);
        using var catalogue = new CatalogueConsumer(_options, _postgres, _redis, deadLetters, Stats, _loggers);

        // Threads of their own: the Kafka client's poll blocks.
        var loops = new List<Task> { Start(catalogue.Run) };
        if (_from is not null)
            await Task.WhenAny(catalogue.CaughtUp, loops[0]);
        loops.Add(Start(interactions.Run));
        if (_options.Retention > TimeSpan.Zero)
            loops.Add(KeepRetentionAsync(stop.Token));
        await Task.WhenAny(loops);
        await stop.CancelAsync();
        await Task.WhenAll(loops);

        Task Start(Action<CancellationToken> loop) =>
            Task.Factory.StartNew(() => loop(stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Drops what is older than the retention, at the start and every hour. Several processes may: a dropped partition is gone for all.</summary>
    private async Task KeepRetentionAsync(CancellationToken stop)
    {
        using var hour = new PeriodicTimer(TimeSpan.FromHours(1));
        try
        {
            do
            {
                try
                {
                    await _postgres.DropOldPartitionsAsync((DateTimeOffset.UtcNow - _options.Retention).ToUnixTimeMilliseconds(), stop);
                }
                catch (Npgsql.NpgsqlException e) when (PostgresGraph.IsOutage(e))
                {
                    Log.RetentionPutOff(_loggers.CreateLogger<IngestWorker>(), e.Message);
                }
            }
            while (await hour.WaitForNextTickAsync(stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Ingest ends.
        }
    }
}
