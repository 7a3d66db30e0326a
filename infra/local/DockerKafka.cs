using System.Diagnostics;
using System.Globalization;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Containers;

namespace StreamRec.Local;

/// <summary>
/// Apache Kafka's official image as one container on a loopback port, where a Docker engine answers. Compiled only where the package feed
/// has Testcontainers, whose resource reaper also removes the container of a killed run.
/// </summary>
internal sealed class DockerKafka : KafkaBroker
{
    /// <summary>Same as in infra/compose.yaml.</summary>
    private const string Image = "apache/kafka:4.1.0";

    private readonly LocalServersOptions _options;
    private readonly IContainer _container;
    private readonly int _port;

    private DockerKafka(LocalServersOptions options, IContainer container, int port)
    {
        (_options, _container, _port) = (options, container, port);
    }

    public override string Bootstrap => $"127.0.0.1:{_port}";

    public override string Kind => $"{Image} in Docker";

    public static Task<KafkaBroker> StartAsync(LocalServersOptions options, CancellationToken ct) =>
        Health.OnFreePortAsync(port => StartOnPortAsync(options, port, ct), port => options.Log.PortTaken(port, "kafka"));

    public override async Task KillAsync()
    {
        string docker = Programs.Require(Programs.Find("docker"), "docker", "docker-cli");
        (int exit, string output) = await Programs.RunAsync([docker, "kill", _container.Id], null, CancellationToken.None);
        if (exit != 0)
            throw new LocalServerException($"docker kill {_container.Id} failed (exit code {exit}): {output}");
    }

    /// <summary>The same container again: its port is fixed and its layer keeps the log.</summary>
    public override async Task RestartAsync(CancellationToken ct)
    {
        await _container.StopAsync(ct);
        await _container.StartAsync(ct);
        await ReadyAsync(_options, _port, ct);
    }

    public override async Task StopAsync() => await _container.DisposeAsync();

    private static async Task<KafkaBroker> StartOnPortAsync(LocalServersOptions options, int port, CancellationToken ct)
    {
        long start = Stopwatch.GetTimestamp();
        IContainer container = new ContainerBuilder(Image)
            .WithPortBinding(port, port)
            .WithEnvironment(Settings(options, port))
            .Build();
        options.Log.ServerStarts("Kafka", port, $"container of {Image}");
        try
        {
            await container.StartAsync(ct);
            await ReadyAsync(options, port, ct);
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }

        options.Log.ServerReady("Kafka", $"127.0.0.1:{port}", Stopwatch.GetElapsedTime(start).TotalSeconds);
        return new DockerKafka(options, container, port);
    }

    private static Task ReadyAsync(LocalServersOptions options, int port, CancellationToken ct) =>
        Health.WaitAsync("Kafka starts in Docker", null, options.StartTimeout, token => KafkaTopics.AskAsync($"127.0.0.1:{port}", token), ct);

    // The image reads KAFKA_SOME_NAME as the broker property some.name, and none of its own defaults once one is given.
    private static Dictionary<string, string> Settings(LocalServersOptions options, int port)
    {
        var settings = new Dictionary<string, string>
        {
            ["KAFKA_NODE_ID"] = "1",
            ["KAFKA_PROCESS_ROLES"] = "broker,controller",
            ["KAFKA_LISTENERS"] = string.Create(CultureInfo.InvariantCulture, $"PLAINTEXT://:{port},CONTROLLER://:9093"),
            ["KAFKA_ADVERTISED_LISTENERS"] = string.Create(CultureInfo.InvariantCulture, $"PLAINTEXT://127.0.0.1:{port}"),
            ["KAFKA_CONTROLLER_LISTENER_NAMES"] = "CONTROLLER",
            ["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ["KAFKA_CONTROLLER_QUORUM_VOTERS"] = "1@localhost:9093",
            ["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] = "1",
            ["KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR"] = "1",
            ["KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"] = "1",
            ["KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS"] = "0",
            ["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] = "false",
            ["KAFKA_HEAP_OPTS"] = "-Xmx" + options.KafkaHeap,
        };
        foreach ((string key, string value) in options.KafkaSettings)
            settings["KAFKA_" + key.ToUpperInvariant().Replace('.', '_')] = value;
        return settings;
    }
}
