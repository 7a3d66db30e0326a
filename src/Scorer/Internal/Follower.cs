using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace StreamRec.Scorer;

/// <summary>
/// Reads partitions every scorer needs whole, outside the group: items.v1, users.v1 and the interactions that other instances score.
/// Commits nothing. One thread.
/// </summary>
internal sealed class Follower : IDisposable
{
    private readonly IConsumer<byte[], byte[]?> _consumer;
    private readonly Dictionary<TopicPartition, Offset> _next = [];
    private readonly HashSet<TopicPartition> _atEnd = [];

    public Follower(ScorerOptions options, ILogger logger)
    {
        _consumer = new ConsumerBuilder<byte[], byte[]?>(new ConsumerConfig
        {
            BootstrapServers = options.BootstrapServers,
            GroupId = options.GroupId + "-follower", // the client wants one; it is never joined
            EnableAutoCommit = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnablePartitionEof = true,
        })
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, error) => logger.Broker(error.Reason))
            .Build();
    }

    /// <summary>Follows exactly these partitions. One followed before goes on where it was; a new one starts at the given offset.</summary>
    public void Follow(IReadOnlyCollection<TopicPartitionOffset> partitions)
    {
        var wanted = partitions.Select(p => p.TopicPartition).ToHashSet();
        foreach (var gone in _next.Keys.Where(p => !wanted.Contains(p)).ToArray())
        {
            _next.Remove(gone);
            _atEnd.Remove(gone);
        }

        foreach (var partition in partitions)
            _next.TryAdd(partition.TopicPartition, partition.Offset);
        _consumer.Assign(_next.Select(p => new TopicPartitionOffset(p.Key, p.Value)));
    }

    /// <summary>The next record, or null when none came in time.</summary>
    public ConsumeResult<byte[], byte[]?>? Poll(TimeSpan atMost)
    {
        var record = _consumer.Consume(atMost);
        if (record is null)
            return null;
        if (record.IsPartitionEOF)
        {
            _atEnd.Add(record.TopicPartition);
            return null;
        }

        _next[record.TopicPartition] = record.Offset + 1;
        return record;
    }

    /// <summary>Reads until every followed partition has been at its end once; false when told to stop before.</summary>
    public bool ReadToEnd(Action<ConsumeResult<byte[], byte[]?>> handle, CancellationToken ct)
    {
        while (_atEnd.Count < _next.Count && !ct.IsCancellationRequested)
        {
            if (Poll(TimeSpan.FromMilliseconds(100)) is { } record)
                handle(record);
        }

        return _atEnd.Count == _next.Count;
    }

    /// <summary>Partition numbers of a topic.</summary>
    /// <exception cref="InvalidOperationException">The broker does not know the topic.</exception>
    public IReadOnlyList<int> PartitionsOf(string topic)
    {
        using var admin = new DependentAdminClientBuilder(_consumer.Handle).Build();
        var found = admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics.Single();
        if (found.Error.IsError || found.Partitions.Count == 0)
            throw new InvalidOperationException($"topic '{topic}' cannot be read: {found.Error.Reason}; create it first (streamrec up)");
        return [.. found.Partitions.Select(p => p.PartitionId)];
    }

    public void Dispose()
    {
        _consumer.Close();
        _consumer.Dispose();
    }
}
