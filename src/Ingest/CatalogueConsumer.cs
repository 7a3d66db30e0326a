using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Ingest;

/// <summary>
/// Reads items.v1 and users.v1: upserts and tombstones, in batches per partition, each one transaction with its offset. These
/// topics are small beside interactions, so one thread does all of it, in order.
/// </summary>
internal sealed class CatalogueConsumer : IDisposable
{
    private const int MaxBatch = 1000;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan BrokerTimeout = TimeSpan.FromSeconds(10);

    private readonly IngestOptions _options;
    private readonly PostgresGraph _postgres;
    private readonly RedisGraph _redis;
    private readonly DeadLetterWriter _deadLetters;
    private readonly IngestStats _stats;
    private readonly ILogger _log;
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly Dictionary<TopicPartition, CatalogueBuffer> _buffers = [];
    private readonly HashSet<TopicPartition> _atEnd = [];
    private readonly TaskCompletionSource _caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _assigned;
    private CancellationToken _stop;

    public CatalogueConsumer(
        IngestOptions options, PostgresGraph postgres, RedisGraph redis, DeadLetterWriter deadLetters, IngestStats stats, ILoggerFactory loggers)
    {
        (_options, _postgres, _redis, _deadLetters, _stats) = (options, postgres, redis, deadLetters, stats);
        _log = loggers.CreateLogger<CatalogueConsumer>();
        var config = KafkaSettings.Consumer(options, options.GroupId + "-catalogue", "headers,timestamp,topic");
        config.EnablePartitionEof = true;
        _consumer = new ConsumerBuilder<byte[]?, byte[]?>(config)
            .SetLogHandler(KafkaSettings.LogTo(_log))
            .SetErrorHandler((_, e) => Log.KafkaError(_log, e.Reason, e.Code.ToString()))
            .SetPartitionsAssignedHandler((_, partitions) => Assigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => Drop(partitions))
            .SetPartitionsLostHandler((_, partitions) => Drop(partitions))
            .Build();
    }

    /// <summary>Done once the owned partitions have been applied to their ends.</summary>
    public Task CaughtUp => _caughtUp.Task;

    public void Run(CancellationToken cancellation)
    {
        _stop = cancellation;
        _consumer.Subscribe([_options.Topics.Items, _options.Topics.Users]);
        try
        {
            while (!cancellation.IsCancellationRequested)
            {
                if (Consume() is { } result && _buffers.TryGetValue(result.TopicPartition, out var buffer))
                    Take(result, buffer);
                foreach (var due in _buffers.Values.Where(b => b.IsDue(_options.MaxBatchAge)).ToArray())
                    Flush(due);
                if (_assigned && !_caughtUp.Task.IsCompleted && _buffers.All(b => _atEnd.Contains(b.Key) && b.Value.Next == b.Value.Expected))
                    _caughtUp.TrySetResult();
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // What is not applied is read again at the next start.
        }

        _consumer.Close();
    }

    public void Dispose() => _consumer.Dispose();

    private void Take(ConsumeResult<byte[]?, byte[]?> result, CatalogueBuffer buffer)
    {
        if (result.IsPartitionEOF)
            _atEnd.Add(result.TopicPartition);
        else if (buffer.Add(result, _options.MaxDeadLetterBytes))
            Flush(buffer);
    }

    private ConsumeResult<byte[]?, byte[]?>? Consume()
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

    private void Flush(CatalogueBuffer buffer)
    {
        try
        {
            FlushAsync(buffer).GetAwaiter().GetResult();
        }
        catch (FencedException)
        {
            Metrics.Fenced.Add(1);
            Log.Fenced(_log, buffer.Partition.Topic, buffer.Partition.Partition.Value, buffer.Expected);
            _consumer.Seek(Start(buffer.Partition));
        }
    }

    private async Task FlushAsync(CatalogueBuffer buffer)
    {
        await _deadLetters.WriteAsync(buffer.SetAside, _stop);
        if (buffer.Partition.Topic == _options.Topics.Items)
        {
            await _postgres.ItemsAsync(buffer.ToItems(), _stop);
            _stats.AddItems(buffer.Items.Count);
        }
        else
        {
            await _postgres.UsersAsync(buffer.ToUsers(), CarryOnAsync, _stop);
            _stats.AddUsers(buffer.Users.Count);
        }

        _stats.AddDeadLetters(buffer.Counts);
        _consumer.StoreOffset(new TopicPartitionOffset(buffer.Partition, buffer.Next));
        buffer.Reset(buffer.Next);
    }

    /// <summary>The rest of an erase: Redis, and a tombstone that compacts the person's lists away. Repeated until both have it.</summary>
    private async Task CarryOnAsync(EraseProof proof)
    {
        var rows = proof.Removed.Values.Sum();
        rows += await Insist("Redis", async () => (await _redis.EraseAsync(proof.UserId)).Values.Sum());

        // A batch committed just before the erasure may still be on its way to Redis: once every watermark is past what was committed then, it is not.
        var committed = await Insist("Postgres", () => _postgres.NextOffsetsAsync(_options.Topics.Interactions, _stop));
        foreach (var (partition, next) in committed)
        {
            while (await Insist("Redis", () => _redis.AppliedAsync(partition)) < next)
                await Task.Delay(TimeSpan.FromMilliseconds(20), _stop);
        }

        rows += await Insist("Redis", async () => (await _redis.EraseAsync(proof.UserId)).Values.Sum());
        await Insist(_options.Topics.Recommendations, async () =>
        {
            await _deadLetters.TombstoneAsync(_options.Topics.Recommendations, proof.UserId, _stop);
            return true;
        });
        _stats.AddErased();
        Log.Erased(_log, _options.Topics.Users, rows);
    }

    private async Task<T> Insist<T>(string place, Func<Task<T>> act)
    {
        while (true)
        {
            try
            {
                return await act();
            }
            catch (Exception e) when (RedisGraph.IsOutage(e) || e is KafkaException || (e is Npgsql.NpgsqlException p && PostgresGraph.IsOutage(p)))
            {
                Log.EraseRetried(_log, place, e.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(500), _stop);
            }
        }
    }

    private List<TopicPartitionOffset> Assigned(List<TopicPartition> partitions)
    {
        if (_stop.IsCancellationRequested)
            return InteractionConsumer.Unstarted(partitions);
        var starts = partitions.ConvertAll(Start);
        _assigned = true;
        return starts;
    }

    private TopicPartitionOffset Start(TopicPartition partition)
    {
        for (var delay = 50; ; delay = Math.Min(delay * 2, 2000))
        {
            try
            {
                var offsets = _consumer.QueryWatermarkOffsets(partition, BrokerTimeout);
                var (low, high) = (offsets.Low.Value, offsets.High.Value);
                var next = _postgres.ClaimAsync(partition.Topic, partition.Partition, low, _stop).GetAwaiter().GetResult();
                if (next > high)
                {
                    Log.Rewound(_log, partition.Topic, partition.Partition.Value, next, high, low);
                    _postgres.RewindAsync(partition.Topic, partition.Partition, next, low, _stop).GetAwaiter().GetResult();
                    next = low;
                }

                // Compaction removes offsets that later records replace, so a gap here loses nothing.
                _buffers[partition] = new CatalogueBuffer(partition, next, MaxBatch);
                _stats.SetError(InteractionConsumer.Place(partition), null);
                Log.Assigned(_log, partition.Topic, partition.Partition.Value, next);
                return new TopicPartitionOffset(partition, Math.Max(low, next));
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or KafkaException)
            {
                _stats.SetError(InteractionConsumer.Place(partition), e.Message);
                Log.ClaimRetried(_log, partition.Topic, partition.Partition.Value, e.Message);
                if (_stop.WaitHandle.WaitOne(delay))
                    throw new OperationCanceledException(_stop);
            }
        }
    }

    private void Drop(List<TopicPartitionOffset> partitions)
    {
        foreach (var partition in partitions)
        {
            _buffers.Remove(partition.TopicPartition);
            _atEnd.Remove(partition.TopicPartition);
        }
    }
}
