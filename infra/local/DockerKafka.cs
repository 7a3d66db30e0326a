using System.Diagnostics;

namespace StreamRec.Local;

/// <summary>Apache Kafka's official image as one container on a loopback port, where a Docker engine answers.</summary>
internal sealed class DockerKafka : KafkaBroker
{
    /// <summary>Same version as infra/compose.yaml; a test compares them.</summary>
    internal const string Image = "apache/kafka:4.1.0";

    private readonly RunFolder _folder;
    private readonly LocalServersOptions _options;
    private readonly string _docker;
    private readonly string _container;
    private readonly int _port;

    private DockerKafka(RunFolder folder, LocalServersOptions options, string docker, string container, int port)
    {
        (_folder, _options, _docker, _container, _port) = (folder, options, docker, container, port);
    }

    public override string Bootstrap => $"127.0.0.1:{_port}";

    public override string Kind => $"{Image} in Docker";

    /// <summary>Whether a Docker engine answers: the client alone does not help.</summary>
    public static async Task<bool> IsAvailableAsync(CancellationToken ct)
    {
        if (Programs.Find("docker") is not { } docker)
            return false;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(TimeSpan.FromSeconds(5));
        try
        {
            return (await Programs.RunAsync([docker, "info"], null, timeout.Token)).Exit == 0;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return false;
        }
    }

    public static Task<KafkaBroker> StartAsync(RunFolder folder, LocalServersOptions options, CancellationToken ct) =>
        Health.OnFreePortAsync<KafkaBroker>(
            port => StartOnPortAsync(folder, options, port, ct), port => options.Log.PortTaken(port, "kafka"));

    public override Task KillAsync() => DockerAsync(_docker, ["kill", _container], CancellationToken.None);

    public override async Task RestartAsync(CancellationToken ct)
    {
        await DockerAsync(_docker, ["start", _container], ct);
        await ReadyAsync(_options, _port, ct);
    }

    public override async Task StopAsync()
    {
        await DockerAsync(_docker, ["rm", "-f", "-v", _container], CancellationToken.None);
        _folder.RemoveContainer(_container);
    }

    private static async Task<KafkaBroker> StartOnPortAsync(RunFolder folder, LocalServersOptions options, int port, CancellationToken ct)
    {
        long start = Stopwatch.GetTimestamp();
        string docker = Programs.Find("docker")!, container = $"streamrec-{Path.GetFileName(folder.Path)}-{port}";
        folder.WriteContainer(container);
        List<string> arguments = ["run", "-d", "--name", container, "-p", $"127.0.0.1:{port}:{port}"];
        foreach ((string key, string value) in Settings(options, port))
            arguments.AddRange(["-e", $"{key}={value}"]);
        arguments.Add(Image);
        options.Log.ServerStarts("Kafka", port, $"docker run {Image}");
        var broker = new DockerKafka(folder, options, docker, container, port);
        try
        {
            await DockerAsync(docker, arguments, ct);
            await ReadyAsync(options, port, ct);
        }
        catch
        {
            await broker.StopAsync();
            throw;
        }

        options.Log.ServerReady("Kafka", broker.Bootstrap, Stopwatch.GetElapsedTime(start).TotalSeconds);
        return broker;
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
            ["KAFKA_LISTENERS"] = $"PLAINTEXT://:{port},CONTROLLER://:9093",
            ["KAFKA_ADVERTISED_LISTENERS"] = $"PLAINTEXT://127.0.0.1:{port}",
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

    private static async Task DockerAsync(string docker, List<string> arguments, CancellationToken ct)
    {
        (int exit, string output) = await Programs.RunAsync([docker, .. arguments], null, ct);
        if (exit != 0)
            throw new LocalServerException($"docker {arguments[0]} failed (exit code {exit}): {output}");
    }
}
