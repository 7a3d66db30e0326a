using System.Diagnostics;
using System.Globalization;

namespace StreamRec.Local;

/// <summary>
/// Apache Kafka from a folder with <c>libs/*.jar</c> (a distribution as published, or one cut to what a broker loads): one KRaft node,
/// broker and controller in one process, started as <c>java kafka.Kafka</c> so that no shell script of it is needed.
/// </summary>
internal sealed class JavaKafka : KafkaBroker
{
    private const string Name = "kafka";

    // Any fixed id does: the data folder is private.
    private const string ClusterId = "c3RyZWFtcmVjLWxvY2FsMA";

    private readonly RunFolder _folder;
    private readonly LocalServersOptions _options;
    private readonly ServerCommand _command;
    private readonly string _home;
    private readonly int _port;
    private ServerProcess _process;

    private JavaKafka(RunFolder folder, LocalServersOptions options, ServerCommand command, ServerProcess process, string home, int port)
    {
        (_folder, _options, _command, _process, _home, _port) = (folder, options, command, process, home, port);
    }

    public override string Bootstrap => $"127.0.0.1:{_port}";

    public override string Kind => $"Apache Kafka {Version(_home)} ({LocalServers.KafkaHomeVariable}={_home})";

    public static async Task<KafkaBroker> StartAsync(RunFolder folder, LocalServersOptions options, string home, CancellationToken ct)
    {
        home = Path.GetFullPath(home);
        if (Version(home) == "?")
        {
            throw new LocalServerException(
                $"{LocalServers.KafkaHomeVariable}='{home}' is not an Apache Kafka folder: it has no libs/kafka_*.jar. Correct it, or unset it.");
        }

        string java = Programs.Require(Programs.FindJava(), "java", "openjdk-17-jre-headless");
        return await Health.OnFreePortAsync<KafkaBroker>(
            port => StartOnPortAsync(folder, options, home, java, port, ct), port => options.Log.PortTaken(port, Name));
    }

    public override Task KillAsync() => _process.KillAsync();

    /// <summary>After a kill this takes some seconds: the old registration of the broker must expire first (4 s).</summary>
    public override async Task RestartAsync(CancellationToken ct)
    {
        if (!_process.HasExited)
            await _process.StopAsync();
        _process = await ServerProcess.StartAsync(_folder, _command, _options.Log);
        await ReadyAsync(_process, _options, _port, ct);
    }

    public override Task StopAsync() => _process.StopAsync();

    private static async Task<KafkaBroker> StartOnPortAsync(
        RunFolder folder, LocalServersOptions options, string home, string java, int port, CancellationToken ct)
    {
        long start = Stopwatch.GetTimestamp();
        string data = folder.In("kafka-data");
        Directory.CreateDirectory(Path.Combine(data, "tmp"));
        string config = Path.Combine(data, "server.properties");
        await File.WriteAllLinesAsync(config, Properties(options, data, port), ct);
        await File.WriteAllTextAsync(Path.Combine(data, "log4j2.properties"), LogProperties, ct);
        string[] jvm =
        [
            java, "-Xms64m", "-Xmx" + options.KafkaHeap, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
            // Compression codecs and performance counters are files of the data folder, not of /tmp, where a killed broker would leave them.
            "-Djava.io.tmpdir=" + Path.Combine(data, "tmp"), "-XX:+PerfDisableSharedMem",
            // Relative to the working folder, since log4j reads the value as a URI and a path may hold spaces.
            "-Dlog4j2.configurationFile=log4j2.properties", "-cp", Path.Combine(home, "libs", "*"),
        ];
        if (!File.Exists(Path.Combine(data, "log", "meta.properties")))
        {
            string[] format = [.. jvm, "kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", ClusterId, "--config", config];
            (int exit, string output) = await Programs.RunAsync(format, data, ct);
            if (exit != 0)
                throw new LocalServerException($"Kafka's storage in '{data}' could not be formatted (exit code {exit}):\n{output}");
        }

        options.Log.ServerStarts("Kafka", port, home);
        var command = new ServerCommand(Name, [.. jvm, "kafka.Kafka", config], data, data, Libc.SigTerm);
        ServerProcess process = await ServerProcess.StartAsync(folder, command, options.Log);
        try
        {
            await ReadyAsync(process, options, port, ct);
        }
        catch
        {
            await process.StopAsync();
            throw;
        }

        options.Log.ServerReady("Kafka", $"127.0.0.1:{port}", Stopwatch.GetElapsedTime(start).TotalSeconds);
        return new JavaKafka(folder, options, command, process, home, port);
    }

    private static Task ReadyAsync(ServerProcess process, LocalServersOptions options, int port, CancellationToken ct) =>
        Health.WaitAsync("Kafka starts", process, options.StartTimeout, async token =>
        {
            await Health.ConnectAsync(port, token); // Cheap while Java warms up; a client that meets a closed port backs off.
            await KafkaTopics.AskAsync($"127.0.0.1:{port}", token);
        }, ct);

    private static IEnumerable<string> Properties(LocalServersOptions options, string data, int port)
    {
        int controller = Health.FreePort();
        var properties = new Dictionary<string, string>
        {
            ["process.roles"] = "broker,controller",
            ["node.id"] = "1",
            ["controller.quorum.bootstrap.servers"] = $"127.0.0.1:{controller}",
            ["listeners"] = $"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            ["advertised.listeners"] = $"PLAINTEXT://127.0.0.1:{port}",
            ["controller.listener.names"] = "CONTROLLER",
            ["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ["log.dirs"] = Path.Combine(data, "log"),
            ["num.partitions"] = "8",
            ["auto.create.topics.enable"] = "false",
            ["num.network.threads"] = "2",
            ["num.io.threads"] = "4",
            ["log.cleaner.dedupe.buffer.size"] = (16 * 1024 * 1024).ToString(CultureInfo.InvariantCulture),
            ["group.initial.rebalance.delay.ms"] = "0",
            // A killed broker may come back after these 4 s; Kafka's own default is 9 s.
            ["broker.session.timeout.ms"] = "4000",
            ["broker.heartbeat.interval.ms"] = "1000",
            ["offsets.topic.num.partitions"] = "4",
            ["transaction.state.log.num.partitions"] = "4",
        };
        foreach (string topic in (string[])["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"])
            properties[topic + ".replication.factor"] = "1";
        foreach (string topic in (string[])["transaction.state.log", "share.coordinator.state.topic"])
            properties[topic + ".min.isr"] = "1";
        foreach ((string key, string value) in options.KafkaSettings)
            properties[key] = value;
        return properties.Select(p => $"{p.Key}={p.Value}");
    }

    private static string Version(string home)
    {
        string libs = Path.Combine(home, "libs");
        string? jar = !Directory.Exists(libs) ? null : Directory.GetFiles(libs, "kafka_*.jar").Order().FirstOrDefault();
        return jar is null ? "?" : Path.GetFileNameWithoutExtension(jar).Split('-').Last();
    }

    private const string LogProperties = """
        status = ERROR
        appender.console.type = Console
        appender.console.name = console
        appender.console.layout.type = PatternLayout
        appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
        rootLogger.level = WARN
        rootLogger.appenderRef.console.ref = console

        """;
}
