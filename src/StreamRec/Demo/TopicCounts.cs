using Confluent.Kafka;

namespace StreamRec.Demo;

/// <summary>How many messages topics have ever held, as the broker counts them: the sum of the partitions' next offsets.</summary>
internal sealed class TopicCounts(string bootstrap) : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly IConsumer<Ignore, Ignore> _consumer = new ConsumerBuilder<Ignore, Ignore>(
        new ConsumerConfig { BootstrapServers = bootstrap, GroupId = "streamrec-demo-counts", EnableAutoCommit = false }).SetLogHandler((_, _) => { }).Build();

    /// <summary>One round trip per partition.</summary>
    /// <exception cref="KafkaException">The broker did not answer within 10 s.</exception>
    public long Messages(string topic, int partitions) =>
        Enumerable.Range(0, partitions).Sum(p => _consumer.QueryWatermarkOffsets(new TopicPartition(topic, p), Timeout).High.Value);

    public void Dispose() => _consumer.Dispose();
}
