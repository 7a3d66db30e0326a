using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace StreamRec.Ingest;

/// <summary>librdkafka settings with the reasons for those that are not defaults.</summary>
internal static class KafkaSettings
{
    /// <param name="options">Where and how.</param>
    /// <param name="group">Consumer group.</param>
    /// <param name="fields">Parts of a record to materialise; each costs an allocation per record.</param>
    public static ConsumerConfig Consumer(IngestOptions options, string group, string fields) => Extended(options, new ConsumerConfig
    {
        BootstrapServers = options.BootstrapServers,
        GroupId = group,
        AutoOffsetReset = AutoOffsetReset.Earliest, // offsets come from Postgres; what the broker no longer has is found by the gap it leaves
        EnableAutoOffsetStore = false, // stored after the commit in Postgres, for lag tools only
        EnableAutoCommit = true,
        AutoCommitIntervalMs = 2000,
        SessionTimeoutMs = (int)options.SessionTimeout.TotalMilliseconds,
        HeartbeatIntervalMs = Math.Max(100, (int)options.SessionTimeout.TotalMilliseconds / 4),
        FetchWaitMaxMs = 100,
        // With 1 s, the client's default, a partition gets one small fetch a second: its queue is over the next line's mark after each.
        FetchQueueBackoffMs = 20,
        QueuedMinMessages = 2000, // per partition, about 0.5 KB each: what a pause throws away and fetches again
        QueuedMaxMessagesKbytes = 16 * 1024, // bounds memory under a backlog
        MaxPartitionFetchBytes = 256 * 1024, // of one answer; a single larger message comes all the same
        ConsumeResultFields = fields,
    });

    public static ProducerConfig Producer(IngestOptions options) => Extended(options, new ProducerConfig
    {
        BootstrapServers = options.BootstrapServers,
        Acks = Acks.All,
        EnableIdempotence = true,
        LingerMs = 2,
        MessageTimeoutMs = 30_000,
    });

    public static AdminClientConfig Admin(IngestOptions options) => Extended(options, new AdminClientConfig { BootstrapServers = options.BootstrapServers });

    /// <summary>What a client says of itself goes to our log: errors and worse as warnings, the rest (retries, reconnects) for who debugs.</summary>
    public static Action<IClient, LogMessage> LogTo(ILogger log) => (_, message) =>
    {
        if (message.Level <= SyslogLevel.Error)
            Log.KafkaWarning(log, message.Message, message.Facility);
        else
            Log.KafkaDebug(log, message.Message, message.Facility);
    };

    private static T Extended<T>(IngestOptions options, T config)
        where T : ClientConfig
    {
        foreach (var (key, value) in options.Kafka)
            config.Set(key, value);
        return config;
    }
}
