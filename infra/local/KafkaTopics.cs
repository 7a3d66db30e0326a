using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace StreamRec.Local;

/// <summary>Topics over the admin API.</summary>
public static class KafkaTopics
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Creates the topics that are missing and returns when every partition has a leader. Existing topics are left as they are.
    /// Replication is the broker's default. Needs a real broker.
    /// </summary>
    /// <exception cref="LocalServerException">The broker refused; the message names topic and reason.</exception>
    public static async Task EnsureAsync(string bootstrap, IReadOnlyList<LocalTopic> topics, CancellationToken ct)
    {
        using IAdminClient admin = Admin(bootstrap);
        IEnumerable<TopicSpecification> wanted = topics.Select(t => new TopicSpecification
        {
            Name = t.Name,
            NumPartitions = t.Partitions,
            ReplicationFactor = -1,
            Configs = t.Config is null ? null : new Dictionary<string, string>(t.Config),
        });
        try
        {
            await admin.CreateTopicsAsync(wanted, new CreateTopicsOptions { RequestTimeout = Timeout, OperationTimeout = Timeout })
                .WaitAsync(ct);
        }
        catch (CreateTopicsException e) when (e.Results.All(r => r.Error.Code is ErrorCode.NoError or ErrorCode.TopicAlreadyExists))
        {
            // Topics of an earlier run are what was asked for.
        }
        catch (CreateTopicsException e)
        {
            string reasons = string.Join("; ", e.Results.Where(r => r.Error.IsError).Select(r => $"{r.Topic}: {r.Error.Reason}"));
            throw new LocalServerException($"Topics could not be created at {bootstrap}: {reasons}", e);
        }

        await Health.WaitAsync($"Topics at {bootstrap} get leaders", null, Timeout, _ => LeadersAsync(admin, topics), ct);
    }

    /// <summary>Asks for the cluster's brokers; throws while there is none.</summary>
    internal static async Task AskAsync(string bootstrap, CancellationToken ct)
    {
        using IAdminClient admin = Admin(bootstrap);
        Metadata answer = await Task.Run(() => admin.GetMetadata(TimeSpan.FromSeconds(2)), ct);
        if (answer.Brokers.Count == 0)
            throw new LocalServerException($"Kafka at {bootstrap} lists no broker");
    }

    private static IAdminClient Admin(string bootstrap) =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap, SocketTimeoutMs = 10_000 })
            // librdkafka prints refused connections while a server starts; the wait reports them if it gives up.
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    private static Task LeadersAsync(IAdminClient admin, IReadOnlyList<LocalTopic> topics)
    {
        Metadata all = admin.GetMetadata(TimeSpan.FromSeconds(5));
        var known = all.Topics.ToDictionary(t => t.Topic);
        foreach (LocalTopic topic in topics)
        {
            if (!known.TryGetValue(topic.Name, out TopicMetadata? found) || found.Error.IsError)
                throw new LocalServerException($"topic {topic.Name} is not there yet");
            if (found.Partitions.Any(p => p.Leader < 0))
                throw new LocalServerException($"topic {topic.Name} has a partition without leader");
        }

        return Task.CompletedTask;
    }
}
