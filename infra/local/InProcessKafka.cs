using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;

namespace StreamRec.Local;

/// <summary>
/// The broker that librdkafka ships for its own tests, listening on a loopback port inside this process. It speaks enough of the protocol
/// for producers, groups, offsets and transactions; any client of this machine can connect. Memory only, 5 MB or 100,000 messages per
/// partition (older ones are dropped silently), no admin API, no compaction, no retention by time.
/// </summary>
internal sealed partial class InProcessKafka : KafkaBroker
{
    private const int ProducerType = 0, BrokerId = 1;
    private readonly Lock _gate = new();
    private nint _handle;
    private nint _cluster;

    private InProcessKafka(nint handle, nint cluster, string bootstrap)
    {
        (_handle, _cluster, Bootstrap) = (handle, cluster, bootstrap);
    }

    public override string Bootstrap { get; }

    public override string Kind => "librdkafka's in-process broker (memory only, 5 MB or 100,000 messages per partition; not for production)";

    public override bool IsReal => false;

    public static unsafe KafkaBroker Start(LocalServersOptions options)
    {
        if (!Library.IsLoaded)
            Library.Load(); // The client's own copy, so that both are one version.
        const int size = 512;
        byte* error = stackalloc byte[size];
        nint conf = rd_kafka_conf_new();
        // Errors only: it would warn that it has no bootstrap.servers, which it is about to be.
        _ = rd_kafka_conf_set(conf, "log_level\0"u8.ToArray(), "3\0"u8.ToArray(), error, size);
        nint handle = rd_kafka_new(ProducerType, conf, error, size);
        if (handle == 0)
            throw new LocalServerException($"librdkafka's in-process broker could not be made: {Marshal.PtrToStringUTF8((nint)error)}");
        nint cluster = rd_kafka_mock_cluster_new(handle, 1);
        if (cluster == 0)
        {
            rd_kafka_destroy(handle);
            throw new LocalServerException("librdkafka's in-process broker could not be made: no loopback port to listen on?");
        }

        // A real broker waits so that a group's members can arrive together; here one process starts them all.
        rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        string bootstrap = Marshal.PtrToStringUTF8(rd_kafka_mock_cluster_bootstraps(cluster))!;
        options.Log.ServerReady("Kafka (in process)", bootstrap, 0);
        return new InProcessKafka(handle, cluster, bootstrap);
    }

    public override Task CreateTopicsAsync(IReadOnlyList<LocalTopic> topics, CancellationToken ct)
    {
        lock (_gate)
        {
            foreach (LocalTopic topic in topics)
            {
                var code = (ErrorCode)rd_kafka_mock_topic_create(_cluster, Encoding.UTF8.GetBytes(topic.Name + "\0"), topic.Partitions, 1);
                if (code is not (ErrorCode.NoError or ErrorCode.TopicAlreadyExists))
                    throw new LocalServerException($"The in-process broker refused topic '{topic.Name}' with {topic.Partitions} partitions: {code}");
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Closes its port and connections; the log stays in memory.</summary>
    public override Task KillAsync()
    {
        lock (_gate)
            Check(rd_kafka_mock_broker_set_down(_cluster, BrokerId));
        return Task.CompletedTask;
    }

    public override Task RestartAsync(CancellationToken ct)
    {
        lock (_gate)
            Check(rd_kafka_mock_broker_set_up(_cluster, BrokerId));
        return Task.CompletedTask;
    }

    public override Task StopAsync()
    {
        lock (_gate)
        {
            if (_handle != 0)
            {
                rd_kafka_mock_cluster_destroy(_cluster);
                rd_kafka_destroy(_handle);
            }

            (_handle, _cluster) = (0, 0);
        }

        return Task.CompletedTask;
    }

    private static void Check(int code)
    {
        if (code != 0)
            throw new LocalServerException($"The in-process broker refused: {(ErrorCode)code}");
    }

    [LibraryImport("librdkafka")]
    private static partial nint rd_kafka_conf_new();

    [LibraryImport("librdkafka")]
    private static unsafe partial int rd_kafka_conf_set(nint conf, byte[] name, byte[] value, byte* error, nuint errorSize);

    [LibraryImport("librdkafka")]
    private static unsafe partial nint rd_kafka_new(int type, nint conf, byte* error, nuint errorSize);

    [LibraryImport("librdkafka")]
    private static partial void rd_kafka_destroy(nint handle);

    [LibraryImport("librdkafka")]
    private static partial nint rd_kafka_mock_cluster_new(nint handle, int brokers);

    [LibraryImport("librdkafka")]
    private static partial void rd_kafka_mock_cluster_destroy(nint cluster);

    [LibraryImport("librdkafka")]
    private static partial nint rd_kafka_mock_cluster_bootstraps(nint cluster);

    [LibraryImport("librdkafka")]
    private static partial int rd_kafka_mock_topic_create(nint cluster, byte[] topic, int partitions, int replication);

    [LibraryImport("librdkafka")]
    private static partial void rd_kafka_mock_group_initial_rebalance_delay_ms(nint cluster, int delay);

    [LibraryImport("librdkafka")]
    private static partial int rd_kafka_mock_broker_set_down(nint cluster, int broker);

    [LibraryImport("librdkafka")]
    private static partial int rd_kafka_mock_broker_set_up(nint cluster, int broker);
}
