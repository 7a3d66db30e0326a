using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Ingest;

/// <summary>
/// The one thread that talks to Kafka about interactions: polls, decodes, hands each record to its partition's worker, pauses
/// partitions whose worker is behind, and answers rebalances. Everything else happens in the workers.
/// </summary>
internal sealed class InteractionConsumer : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// How long everything waits for one full partition before that one is paused. A pause throws away what was fetched ahead, and under a backlog all
    /// partitions are full by turns: waiting keeps the fetches, and the other workers have batches of their own meanwhile.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BrokerTimeout = TimeSpan.FromSeconds(10);

    private readonly IngestOptions _options;
    private readonly PostgresGraph _postgres;
    private readonly RedisGraph _redis;
    private readonly DeadLetterWriter _deadLetters;
    private readonly IngestStats _stats;
    private readonly ReplayFrom? _from;
    private readonly ILogger _log;
    private readonly ILogger _graphLog;
    private readonly IConsumer<Ignore, Decoded> _consumer;
    private readonly Dictionary<Partition, PartitionWorker> _workers = []; // of the one topic
    private readonly HashSet<Partition> _paused = [];
    private CancellationToken _stop;
    private long _nextTick;
    private long _nextLag;

    public InteractionConsumer(
        IngestOptions options, PostgresGraph postgres, RedisGraph redis, DeadLetterWriter deadLetters, EventTypes types, IngestStats stats, ReplayFrom? from,
        ILoggerFactory loggers)
    {
        (_options, _postgres, _redis, _deadLetters, _stats, _from) = (options, postgres, redis, deadLetters, stats, from);
        (_log, _graphLog) = (loggers.CreateLogger<InteractionConsumer>(), loggers.CreateLogger<RedisFollower>());
        var reader = new DecodingReader(new InteractionDecoder(options.Decoder, types), options.MaxDeadLetterBytes, options.Retention);
        _consumer = new ConsumerBuilder<Ignore, Decoded>(KafkaSettings.Consumer(options, options.GroupId, "headers,timestamp"))
            .SetKeyDeserializer(reader)
            .SetValueDeserializer(reader)
            .SetLogHandler(KafkaSettings.LogTo(_log))
            .SetErrorHandler((_, e) => Log.KafkaError(_log, e.Reason, e.Code.ToString()))
            .SetPartitionsAssignedHandler((_, partitions) => Assigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => Revoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => Lost(partitions))
            .Build();
    }

    /// <summary>Runs until cancelled, then drains. Throws what a worker failed with.</summary>
    public void Run(CancellationToken cancellation)
    {
        _stop = cancellation;
        _consumer.Subscribe(_options.Topics.Interactions);
        try
        {
            while (!cancellation.IsCancellationRequested)
            {
                if (Consume() is { } result && _workers.TryGetValue(result.Partition, out var worker))
                    Hand(worker, result);
                if (Environment.TickCount64 >= _nextTick)
                    Tick();
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Cancelled while waiting for Postgres in a rebalance.
        }

        Drain();
    }

    public void Dispose()
    {
        foreach (var worker in _workers.Values)
            worker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _workers.Clear();
        _consumer.Dispose();
    }

    private ConsumeResult<Ignore, Decoded>? Consume()
    {
        try
        {
            return _consumer.Consume(Poll);
        }
        catch (ConsumeException e) when (!e.Error.IsFatal)
        {
            Log.KafkaError(_log, e.Error.Reason, e.Error.Code.ToString());
            return null;
        }
    }

    private void Hand(PartitionWorker worker, ConsumeResult<Ignore, Decoded> result)
    {
        var buffer = worker.Buffer;
        var offset = result.Offset.Value;
        if (offset < buffer.NextInput)
            return; // fetched before a pause or seek took effect
        if (offset > buffer.NextInput)
            Skipped(buffer, offset);
        buffer.Add(offset, result.Message.Value, result.Message.Timestamp.UnixTimestampMs, result.Message.Headers is { Count: > 0 } headers ? headers : null);
        // A record of a paused partition was fetched before the pause: waiting for room again would hold up the others.
        if (!_paused.Contains(result.Partition) && !buffer.WaitForRoom(Patience, _stop))
        {
            _paused.Add(result.Partition);
            _consumer.Pause([buffer.Partition]);
        }
    }

    /// <summary>A gap is a transaction marker, or the broker's retention has passed us.</summary>
    private void Skipped(PartitionBuffer buffer, long offset)
    {
        var low = Math.Min(offset, _consumer.QueryWatermarkOffsets(buffer.Partition, BrokerTimeout).Low.Value);
        if (low > buffer.NextInput)
            buffer.Lose(low);
    }

    private void Tick()
    {
        _nextTick = Environment.TickCount64 + 20;
        foreach (var (partition, worker) in _workers)
        {
            if (worker.Completion.IsFaulted)
            {
                Restart(worker);
                return;
            }

            if (_paused.Contains(partition) && worker.Buffer.HasRoom)
            {
                _paused.Remove(partition);
                _consumer.Resume([worker.Buffer.Partition]);
            }
        }

        if (Environment.TickCount64 < _nextLag)
            return;
        _nextLag = Environment.TickCount64 + 500;
        MeasureLag();
    }

    private void MeasureLag()
    {
        var (behind, waiting) = (0, 0L);
        foreach (var (partition, worker) in _workers)
        {
            var high = _consumer.GetWatermarkOffsets(worker.Buffer.Partition).High;
            if (high.Value >= 0)
                _stats.SetLag(partition, Math.Max(0, high.Value - worker.Applied));
            behind += worker.RedisInStep ? 0 : 1;
            waiting += worker.Buffer.Waiting;
        }

        _stats.SetRedisBehind(behind);
        _stats.SetWaiting(waiting);
    }

    /// <summary>
    /// A fenced worker reads the stored offset again: where the partition is still ours
    /// that heals it, else the rebalance is on its way. Any other failure ends ingest.
    /// </summary>
    private void Restart(PartitionWorker worker)
    {
        var partition = worker.Buffer.Partition;
        var error = worker.Completion.Exception!.GetBaseException();
        if (error is not FencedException)
        {
            throw new InvalidOperationException(
                $"ingest of {partition.Topic}/{partition.Partition.Value} failed at offset {worker.Applied}: {error.Message}",
                error);
        }
        Metrics.Fenced.Add(1);
        Log.Fenced(_log, partition.Topic, partition.Partition.Value, worker.Applied);
        worker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _workers.Remove(partition.Partition);
        var start = Start(partition);
        _consumer.Seek(start);
    }

    private List<TopicPartitionOffset> Assigned(List<TopicPartition> partitions)
    {
        _paused.Clear();
        return _stop.IsCancellationRequested ? Unstarted(partitions) : [.. partitions.Select(Start)];
    }

    /// <summary>A rebalance that comes while we leave: nothing is read any more.</summary>
    internal static List<TopicPartitionOffset> Unstarted(List<TopicPartition> partitions) =>
        [.. partitions.Select(p => new TopicPartitionOffset(p, Offset.End))];

    /// <summary>Claims a partition and starts its worker where Postgres says. Waits for Postgres as long as it takes.</summary>
    private TopicPartitionOffset Start(TopicPartition partition)
    {
        for (var delay = 50; ; delay = Math.Min(delay * 2, 2000))
        {
            try
            {
                var (low, high) = Watermarks(partition);
                var start = FirstOffset(partition, low, high);
                var next = _postgres.ClaimAsync(partition.Topic, partition.Partition, start, _stop).GetAwaiter().GetResult();
                if (_from is not null && next == start)
                    Log.ReplaysFrom(_log, partition.Topic, partition.Partition.Value, start);
                if (next > high)
                    next = Rewind(partition, next, low, high);
                var buffer = new PartitionBuffer(_options, partition, next);
                if (low > next)
                    buffer.Lose(low);
                _workers[partition.Partition] = new PartitionWorker(buffer, next, _postgres, _redis, _deadLetters, _stats, Store, _graphLog);
                _stats.SetLag(partition.Partition, Math.Max(0, high - next));
                _stats.SetError(Place(partition), null);
                Log.Assigned(_log, partition.Topic, partition.Partition.Value, Math.Max(low, next));
                return new TopicPartitionOffset(partition, Math.Max(low, next));
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or KafkaException)
            {
                _stats.SetError(Place(partition), e.Message);
                Log.ClaimRetried(_log, partition.Topic, partition.Partition.Value, e.Message);
                if (_stop.WaitHandle.WaitOne(delay))
                    throw new OperationCanceledException(_stop);
            }
        }
    }

    /// <summary>Where a partition nobody has consumed yet begins.</summary>
    private long FirstOffset(TopicPartition partition, long low, long high)
    {
        if (_from?.Time is { } time)
        {
            var asked = new TopicPartitionTimestamp(partition, new Timestamp(time.UtcDateTime));
            var found = _consumer.OffsetsForTimes([asked], BrokerTimeout).Single().Offset;
            return found.Value >= 0 ? Math.Clamp(found.Value, low, high) : high;
        }

        return _from?.Offset is { } offset ? Math.Clamp(offset, low, high) : low;
    }

    /// <summary>A partition's name among the errors of <see cref="IngestStats"/>.</summary>
    internal static string Place(TopicPartition partition) => $"{partition.Topic}/{partition.Partition.Value}";

    private (long Low, long High) Watermarks(TopicPartition partition)
    {
        var offsets = _consumer.QueryWatermarkOffsets(partition, BrokerTimeout);
        return (offsets.Low.Value, offsets.High.Value);
    }

    /// <summary>
    /// The log is shorter than what was consumed of it: the topic was made anew. Its
    /// events are told apart by their ids, so reading it from the start is safe.
    /// </summary>
    private long Rewind(TopicPartition partition, long stored, long low, long high)
    {
        Log.Rewound(_log, partition.Topic, partition.Partition.Value, stored, high, low);
        _postgres.RewindAsync(partition.Topic, partition.Partition, stored, low, _stop).GetAwaiter().GetResult();
        _redis.RewindAsync(partition.Partition, low).GetAwaiter().GetResult();
        return low;
    }

    /// <summary>Ours until this returns: the batch in work is finished, the rest dropped for the next owner.</summary>
    private void Revoked(List<TopicPartitionOffset> partitions)
    {
        var stopping = partitions.Select(p => p.Partition).Where(_workers.ContainsKey).ToArray();
        Task.WhenAll(stopping.Select(p => _workers[p].StopAsync(drop: true, _options.DrainTimeout))).GetAwaiter().GetResult();
        Forget(stopping, p => Log.Revoked(_log, _options.Topics.Interactions, p.Value, _workers[p].Applied));
    }

    /// <summary>Somebody else's already: whatever is in work would be fenced, so it is cancelled.</summary>
    private void Lost(List<TopicPartitionOffset> partitions) =>
        Forget([.. partitions.Select(p => p.Partition).Where(_workers.ContainsKey)], p => Log.PartitionLost(_log, _options.Topics.Interactions, p.Value));

    private void Forget(Partition[] partitions, Action<Partition> say)
    {
        foreach (var partition in partitions)
        {
            say(partition);
            _workers[partition].DisposeAsync().AsTask().GetAwaiter().GetResult();
            _workers.Remove(partition);
            if (_paused.Remove(partition))
                _consumer.Resume([new TopicPartition(_options.Topics.Interactions, partition)]); // else it may still be paused when it comes back
            _stats.DropPartition(partition);
        }
    }

    private void Drain()
    {
        if (_options.DrainTimeout > TimeSpan.Zero)
        {
            Log.Draining(_log, _workers.Values.Sum(w => w.Buffer.Waiting));
            Task.WhenAll(_workers.Values.Select(w => w.StopAsync(drop: false, _options.DrainTimeout))).GetAwaiter().GetResult();
        }

        foreach (var worker in _workers.Values)
            worker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _workers.Clear();
        _consumer.Close();
    }

    /// <summary>The group's offset follows Postgres' for lag tools; that a partition is no longer ours by now is no error.</summary>
    private void Store(TopicPartitionOffset offset)
    {
        try
        {
            _consumer.StoreOffset(offset);
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.Local_State or ErrorCode.Local_UnknownPartition)
        {
            // Between revocation and the worker's end.
        }
    }
}
