using System.Diagnostics;
using Confluent.Kafka;
using Npgsql;
using StackExchange.Redis;
using StreamRec.Local;
using Xunit;

namespace StreamRec.IntegrationTests;

/// <summary>The private servers themselves: each test starts its own set in a folder of its own.</summary>
public sealed class LocalServersTests
{
    [Fact]
    public async Task Postgres_redis_and_the_in_process_broker_answer_and_leave_nothing_behind()
    {
        LocalServersOptions options = Options();
        LocalServers servers = await LocalServers.StartAsync(options, TestContext.Current.CancellationToken);
        int[] pids = Pids(options.Root);
        Assert.Equal(2, pids.Length);

        await using (var connection = new NpgsqlConnection(servers.PostgresConnectionString))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = new NpgsqlCommand("SHOW fsync", connection);
            Assert.Equal("on", await command.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        }

        using (ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(servers.RedisConnectionString))
        {
            await redis.GetDatabase().StringSetAsync("k", "v");
            Assert.Equal("v", (string?)await redis.GetDatabase().StringGetAsync("k"));
        }

        await servers.CreateTopicsAsync([new LocalTopic("t", 3)], TestContext.Current.CancellationToken);
        Assert.Equal(["one", "two"], await ProduceAndConsume(servers.KafkaBootstrap, "t", "one", "two"));

        await servers.DisposeAsync();
        Assert.All(pids, pid => Assert.False(Runs(pid), $"process {pid} still runs"));
        Assert.False(Directory.Exists(options.Root));
    }

    [Fact]
    public async Task A_killed_postgres_comes_back_with_its_data_on_the_same_port()
    {
        await using LocalServers servers = await LocalServers.StartAsync(
            Options() with { Servers = ServerKinds.Postgres }, TestContext.Current.CancellationToken);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(servers.PostgresConnectionString);
        await ExecuteAsync(source, "CREATE TABLE t AS SELECT 7 AS x");

        await servers.KillPostgresAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(source, "SELECT 1"));
        await servers.RestartPostgresAsync(TestContext.Current.CancellationToken);

        Assert.Equal(7, await ExecuteAsync(source, "SELECT x FROM t"));
    }

    [Fact]
    public async Task A_killed_redis_comes_back_empty_on_the_same_port()
    {
        await using LocalServers servers = await LocalServers.StartAsync(
            Options() with { Servers = ServerKinds.Redis }, TestContext.Current.CancellationToken);
        using (ConnectionMultiplexer before = await ConnectionMultiplexer.ConnectAsync(servers.RedisConnectionString))
            await before.GetDatabase().StringSetAsync("k", "v");

        await servers.KillRedisAsync();
        await servers.RestartRedisAsync(TestContext.Current.CancellationToken);

        using ConnectionMultiplexer after = await ConnectionMultiplexer.ConnectAsync(servers.RedisConnectionString);
        Assert.True((await after.GetDatabase().StringGetAsync("k")).IsNull);
    }

    [Fact]
    public async Task The_in_process_broker_comes_back_with_its_messages()
    {
        await using LocalServers servers = await LocalServers.StartAsync(
            Options() with { Servers = ServerKinds.Kafka }, TestContext.Current.CancellationToken);
        await servers.CreateTopicsAsync([new LocalTopic("t", 1)], TestContext.Current.CancellationToken);
        Assert.Equal(["one"], await ProduceAndConsume(servers.KafkaBootstrap, "t", "one"));

        await servers.KillKafkaAsync();
        await servers.RestartKafkaAsync(TestContext.Current.CancellationToken);

        Assert.Equal(["one", "two"], await ProduceAndConsume(servers.KafkaBootstrap, "t", ["two"], expected: 2));
    }

    [Fact]
    [Trait(Servers.Needs, Servers.RealKafka)]
    public async Task A_killed_kafka_comes_back_with_its_messages_and_topic_settings()
    {
        Assert.SkipUnless(Directory.Exists(Environment.GetEnvironmentVariable("STREAMREC_KAFKA_HOME") ?? "?"),
            "needs a Kafka of its own to kill: set STREAMREC_KAFKA_HOME to an Apache Kafka folder");
        await using LocalServers servers = await LocalServers.StartAsync(
            Options() with { Servers = ServerKinds.Kafka, Kafka = KafkaChoice.Real }, TestContext.Current.CancellationToken);
        var settings = new Dictionary<string, string> { ["cleanup.policy"] = "compact" };
        await servers.CreateTopicsAsync([new LocalTopic("t", 1, settings)], TestContext.Current.CancellationToken);
        Assert.Equal(["one"], await ProduceAndConsume(servers.KafkaBootstrap, "t", "one"));

        await servers.KillKafkaAsync();
        await servers.RestartKafkaAsync(TestContext.Current.CancellationToken);

        Assert.Equal(["one", "two"], await ProduceAndConsume(servers.KafkaBootstrap, "t", ["two"], expected: 2));
    }

    [Fact]
    public async Task A_second_start_ends_what_a_killed_first_run_left()
    {
        string parent = Path.Combine(LocalPaths.RunFolder, "leftover-" + Guid.NewGuid().ToString("N")[..8]);
        string first = Path.Combine(parent, "first"), second = Path.Combine(parent, "second");
        int[] pids;
        using (Process owner = await StartOwnerAsync(first))
        {
            pids = Pids(first);
            Assert.Equal(2, pids.Length);
            // Without the kernel's help too: the servers' death signal is what normally ends them, a stopped one does not act on it.
            foreach (int pid in pids)
                Signal(pid, "STOP");
            owner.Kill();
            await owner.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.All(pids, pid => Assert.True(Runs(pid)));
        await using (await LocalServers.StartAsync(Options() with { Root = second, Servers = ServerKinds.Redis }, TestContext.Current.CancellationToken))
        {
            Assert.All(pids, pid => Assert.False(Runs(pid), $"process {pid} still runs"));
            Assert.False(Directory.Exists(first));
        }

        Directory.Delete(parent, recursive: true);
    }

    [Fact]
    public async Task Servers_end_when_their_owner_is_killed()
    {
        string parent = Path.Combine(LocalPaths.RunFolder, "orphans-" + Guid.NewGuid().ToString("N")[..8]);
        string root = Path.Combine(parent, "one");
        int[] pids;
        using (Process owner = await StartOwnerAsync(root))
        {
            pids = Pids(root);
            owner.Kill();
            await owner.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await Until("the servers of a killed owner end", () => !pids.Any(Runs));
        await LocalServers.CleanUpAsync(parent, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, TestContext.Current.CancellationToken);
        Assert.False(Directory.Exists(root));
        Directory.Delete(parent, recursive: true);
    }

    [Fact]
    public async Task A_folder_in_use_is_refused_and_its_servers_are_left_alone()
    {
        LocalServersOptions options = Options() with { Servers = ServerKinds.Redis };
        await using LocalServers servers = await LocalServers.StartAsync(options, TestContext.Current.CancellationToken);

        LocalServerException error = await Assert.ThrowsAsync<LocalServerException>(
            () => LocalServers.StartAsync(options, TestContext.Current.CancellationToken));

        Assert.Contains(options.Root, error.Message, StringComparison.Ordinal);
        using ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(servers.RedisConnectionString);
        Assert.True(redis.IsConnected);
    }

    [Fact]
    public async Task A_stranger_with_a_leftover_pid_is_never_touched()
    {
        string parent = Path.Combine(LocalPaths.RunFolder, "stranger-" + Guid.NewGuid().ToString("N")[..8]);
        string first = Path.Combine(parent, "first");
        Directory.CreateDirectory(first);
        using Process stranger = Process.Start("sleep", "600");
        await File.WriteAllTextAsync(Path.Combine(first, "owner.lock"), "", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(first, "redis.pid"),
            $$"""{"Pid":{{stranger.Id}},"StartTicks":1,"BootId":"another","Marker":"sleep"}""", TestContext.Current.CancellationToken);

        await LocalServers.CleanUpAsync(parent, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, TestContext.Current.CancellationToken);

        Assert.False(stranger.HasExited);
        Assert.False(Directory.Exists(first));
        stranger.Kill();
        Directory.Delete(parent, recursive: true);
    }

    // Nothing here may depend on, or kill, servers that somebody named in the environment.
    private static LocalServersOptions Options() => new()
    {
        Root = LocalPaths.NewRunFolder("local tests with spaces"), Kafka = KafkaChoice.InProcess, UseExternal = false,
    };

    private static int[] Pids(string root) =>
        [.. Directory.GetFiles(root, "*.pid").Select(f => System.Text.Json.JsonDocument.Parse(File.ReadAllText(f)).RootElement.GetProperty("Pid").GetInt32())];

    // A zombie, which its new parent has yet to reap, runs no more.
    private static bool Runs(int pid)
    {
        string stat = $"/proc/{pid}/stat";
        return File.Exists(stat) && !File.ReadAllText(stat).Contains(") Z ", StringComparison.Ordinal);
    }

    private static void Signal(int pid, string signal)
    {
        using Process kill = Process.Start("kill", ["-" + signal, pid.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private static async Task<object?> ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using NpgsqlCommand command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>This test program once more, as the owner of a set of servers; returns when they are up.</summary>
    private static async Task<Process> StartOwnerAsync(string root)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            info.ArgumentList.Add(typeof(LocalServersTests).Assembly.Location);
        info.Environment[ServerOwner.Variable] = root;
        Process owner = Process.Start(info)!;
        string? line = await owner.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.Equal(ServerOwner.Ready, line);
        return owner;
    }

    private static Task<List<string>> ProduceAndConsume(string bootstrap, string topic, params string[] values) =>
        ProduceAndConsume(bootstrap, topic, values, values.Length);

    private static async Task<List<string>> ProduceAndConsume(string bootstrap, string topic, string[] values, int expected)
    {
        var own = new ProducerConfig { BootstrapServers = bootstrap };
        using (IProducer<string, string> producer = new ProducerBuilder<string, string>(own).SetLogHandler((_, _) => { }).Build())
        {
            foreach (string value in values)
            {
                await producer.ProduceAsync(
                    new TopicPartition(topic, 0),
                    new Message<string, string> { Key = value, Value = value },
                    TestContext.Current.CancellationToken);
            }
        }

        using IConsumer<Ignore, string> consumer = new ConsumerBuilder<Ignore, string>(new ConsumerConfig
        {
            BootstrapServers = bootstrap, GroupId = Guid.NewGuid().ToString(), AutoOffsetReset = AutoOffsetReset.Earliest,
        }).SetLogHandler((_, _) => { }).Build();
        consumer.Subscribe(topic);
        var read = new List<string>();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (read.Count < expected)
            read.Add(consumer.Consume(limit.Token).Message.Value);
        consumer.Close();
        return read;
    }

    private static async Task Until(string what, Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        long end = Environment.TickCount64 + 30_000;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 < end, $"30 s passed and not yet: {what}");
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}
