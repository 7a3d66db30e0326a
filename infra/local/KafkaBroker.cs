namespace StreamRec.Local;

/// <summary>The broker of a set of servers; one subclass per way to get one.</summary>
internal abstract class KafkaBroker
{
    /// <summary>bootstrap.servers.</summary>
    public abstract string Bootstrap { get; }

    /// <summary>For people: what this broker is.</summary>
    public abstract string Kind { get; }

    /// <summary>Whether it is Apache Kafka (or speaks all of its protocol) and not the in-process stand-in.</summary>
    public virtual bool IsReal => true;

    public virtual Task CreateTopicsAsync(IReadOnlyList<LocalTopic> topics, CancellationToken ct) => KafkaTopics.EnsureAsync(Bootstrap, topics, ct);

    public abstract Task KillAsync();

    public abstract Task RestartAsync(CancellationToken ct);

    public abstract Task StopAsync();

    /// <summary>Takes the first that exists, in the order the design gives.</summary>
    public static async Task<KafkaBroker> StartFirstAsync(RunFolder folder, LocalServersOptions options, CancellationToken ct)
    {
        if (options.Kafka == KafkaChoice.InProcess)
            return InProcessKafka.Start(options);
        string? external = Environment.GetEnvironmentVariable(LocalServers.KafkaVariable);
        if (options.UseExternal && !string.IsNullOrEmpty(external))
            return await ExternalKafka.ConnectAsync(external, options, ct);
#if TESTCONTAINERS
        if (await LocalServers.DockerAnswersAsync(ct))
            return await DockerKafka.StartAsync(options, ct);
#endif
        string? home = Environment.GetEnvironmentVariable(LocalServers.KafkaHomeVariable);
        if (!string.IsNullOrEmpty(home))
            return await JavaKafka.StartAsync(folder, options, home, ct);
        if (options.Kafka == KafkaChoice.Real)
        {
            throw new LocalServerException(
                $"A real Kafka is asked for, and there is none: set {LocalServers.KafkaVariable} to a running one, or start Docker, or set " +
                $"{LocalServers.KafkaHomeVariable} to an Apache Kafka folder (and apt-get install -y openjdk-17-jre-headless).");
        }

        options.Log.InProcessBroker();
        return InProcessKafka.Start(options);
    }
}

/// <summary>A broker somebody else runs.</summary>
internal sealed class ExternalKafka(string bootstrap) : KafkaBroker
{
    public override string Bootstrap => bootstrap;

    public override string Kind => $"Kafka at {bootstrap} ({LocalServers.KafkaVariable})";

    public static async Task<KafkaBroker> ConnectAsync(string bootstrap, LocalServersOptions options, CancellationToken ct)
    {
        options.Log.ExternalServer("Kafka", bootstrap, LocalServers.KafkaVariable);
        await Health.WaitAsync($"Kafka at '{bootstrap}' ({LocalServers.KafkaVariable}) is asked", null, options.StartTimeout,
            token => KafkaTopics.AskAsync(bootstrap, token), ct);
        return new ExternalKafka(bootstrap);
    }

    public override Task KillAsync() => throw new NotSupportedException($"{Kind} is not ours to kill");

    public override Task RestartAsync(CancellationToken ct) => throw new NotSupportedException($"{Kind} is not ours to restart");

    public override Task StopAsync() => Task.CompletedTask;
}
