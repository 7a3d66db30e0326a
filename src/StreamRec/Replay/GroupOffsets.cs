using Confluent.Kafka;

namespace StreamRec.Replay;

/// <summary>
/// Reads how far a consumer group has committed on a topic, from outside the group: it neither joins nor disturbs it.
/// Works across processes. Cost: one round trip per call.
/// </summary>
internal sealed class GroupOffsets : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly IConsumer<Ignore, Ignore> _consumer;
    private readonly string _topic;

    public GroupOffsets(string bootstrap, string group, string topic)
    {
        Group = group;
        _topic = topic;
        _consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig
        {
            BootstrapServers = bootstrap, GroupId = group, EnableAutoCommit = false, AllowAutoCreateTopics = false,
        }).SetLogHandler((_, _) => { }).Build();
    }

    public string Group { get; }

    /// <summary>Tells the backlog what the group has committed for each of its partitions; a partition without a commit is left alone.</summary>
    /// <exception cref="KafkaException">The coordinator did not answer within 10 s.</exception>
    public void Report(Backlog backlog, int group)
    {
        var partitions = backlog.NextOffsets().Keys.Select(p => new TopicPartition(_topic, p)).ToList();
        if (partitions.Count == 0)
            return;
        foreach (var committed in _consumer.Committed(partitions, Timeout))
        {
            if (committed.Offset.Value >= 0)
                backlog.Taken(group, committed.Partition.Value, committed.Offset.Value);
        }
    }

    public void Dispose() => _consumer.Dispose();
}
