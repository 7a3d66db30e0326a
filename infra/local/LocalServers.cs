using Npgsql;

namespace StreamRec.Local;

/// <summary>
/// Private Postgres, Redis and Kafka for a demo, a test run or a bench, as child processes on free loopback ports, never the system's
/// services. They stop with <see cref="DisposeAsync"/>, with this process however it dies, and at the latest at the next start.
/// A start from nothing takes about 3 s with the in-process broker and 7 s with a real one on 2 cores.
/// </summary>
public sealed class LocalServers : IAsyncDisposable
{
    /// <summary>Names a broker to use instead of a private one (bootstrap.servers).</summary>
    public const string KafkaVariable = "STREAMREC_KAFKA_BOOTSTRAP";

    /// <summary>An Apache Kafka folder to start a private broker from.</summary>
    public const string KafkaHomeVariable = "STREAMREC_KAFKA_HOME";

    /// <summary>Names a database to use instead of a private one (Npgsql connection string).</summary>
    public const string PostgresVariable = "STREAMREC_POSTGRES";

    /// <summary>Names a Redis to use instead of a private one (StackExchange.Redis configuration).</summary>
    public const string RedisVariable = "STREAMREC_REDIS";

    private readonly RunFolder _folder;
    private readonly string? _postgresExternal;
    private readonly string? _redisExternal;
    private PostgresServer? _postgres;
    private RedisServer? _redis;
    private KafkaBroker? _kafka;
    private bool _disposed;

    private LocalServers(RunFolder folder, LocalServersOptions options)
    {
        _folder = folder;
        _postgresExternal = External(options, ServerKinds.Postgres, PostgresVariable);
        _redisExternal = External(options, ServerKinds.Redis, RedisVariable);
    }

    /// <summary>The folder of this set: data, logs, pid files.</summary>
    public string Root => _folder.Path;

    /// <summary>bootstrap.servers.</summary>
    public string KafkaBootstrap => Kafka.Bootstrap;

    /// <summary>For people: which broker this is; says so plainly when it is the in-process one.</summary>
    public string KafkaKind => Kafka.Kind;

    /// <summary>False for the in-process broker.</summary>
    public bool KafkaIsReal => Kafka.IsReal;

    /// <summary>In Npgsql's form.</summary>
    public string PostgresConnectionString => _postgresExternal ?? Postgres.ConnectionString;

    /// <summary>In StackExchange.Redis' form.</summary>
    public string RedisConnectionString => _redisExternal ?? Redis.ConnectionString;

    private PostgresServer Postgres => _postgres ?? throw NotOurs("Postgres", PostgresVariable);

    private RedisServer Redis => _redis ?? throw NotOurs("Redis", RedisVariable);

    private KafkaBroker Kafka => _kafka ?? throw NotOurs("Kafka", KafkaVariable);

    /// <summary>
    /// Starts what the options ask for and returns when all of it answers; first cleans up after killed runs. If one server fails,
    /// the others are stopped again.
    /// </summary>
    /// <exception cref="LocalServerException">A program is missing (the message says what to install) or a server does not start.</exception>
    public static async Task<LocalServers> StartAsync(LocalServersOptions options, CancellationToken ct)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new LocalServerException("Private servers are started on Linux only. Elsewhere use infra/compose.yaml and set " +
                $"{KafkaVariable}, {PostgresVariable} and {RedisVariable}.");
        }

        var servers = new LocalServers(await RunFolder.OpenAsync(options, ct), options);
        try
        {
            await Task.WhenAll(
                servers.StartPostgresAsync(options, ct), servers.StartRedisAsync(options, ct), servers.StartKafkaAsync(options, ct));
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Ends the processes and removes the data of killed runs in every folder below <paramref name="runFolder"/>; folders of living
    /// runs and folders that keep their data are left.
    /// </summary>
    public static async Task CleanUpAsync(string runFolder, Microsoft.Extensions.Logging.ILogger log, CancellationToken ct)
    {
        if (!Directory.Exists(runFolder))
            return;
        foreach (string folder in Directory.GetDirectories(runFolder))
            await RunFolder.CleanAsync(folder, log, ct);
    }

    /// <summary>Whether a living process has servers in this folder.</summary>
    public static bool IsRunning(string root) => RunFolder.IsOwned(root);

    /// <summary>Whether this build can start Kafka in Docker (its package feed had Testcontainers).</summary>
    public static bool CanUseDocker =>
#if TESTCONTAINERS
        true;
#else
        false;
#endif

    /// <summary>Whether a Docker engine answers within 5 s; the client program alone does not help.</summary>
    public static async Task<bool> DockerAnswersAsync(CancellationToken ct)
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

    /// <summary>Creates the topics that are missing; on the in-process broker their settings do not apply.</summary>
    public Task CreateTopicsAsync(IReadOnlyList<LocalTopic> topics, CancellationToken ct) => Kafka.CreateTopicsAsync(topics, ct);

    /// <summary>kill -9 of the database and all its backends.</summary>
    public Task KillPostgresAsync() => Postgres.KillAsync();

    /// <summary>Starts it on the same port and data; stops it first if it runs. Returns when it has recovered.</summary>
    public Task RestartPostgresAsync(CancellationToken ct) => Postgres.RestartAsync(ct);

    /// <summary>kill -9.</summary>
    public Task KillRedisAsync() => Redis.KillAsync();

    /// <summary>Starts it on the same port, empty.</summary>
    public Task RestartRedisAsync(CancellationToken ct) => Redis.RestartAsync(ct);

    /// <summary>kill -9 of a real broker; the in-process one closes its port and connections instead.</summary>
    public Task KillKafkaAsync() => Kafka.KillAsync();

    /// <summary>Starts it on the same port and data.</summary>
    public Task RestartKafkaAsync(CancellationToken ct) => Kafka.RestartAsync(ct);

    /// <summary>Stops everything we started and removes its data unless it is to be kept.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (_postgres is not null)
        {
            // Pooled connections to a server that goes away would be met by the next user of the pool.
            await using var connection = new NpgsqlConnection(_postgres.ConnectionString);
            NpgsqlConnection.ClearPool(connection);
        }

        try
        {
            await Task.WhenAll(
                _kafka?.StopAsync() ?? Task.CompletedTask, _redis?.StopAsync() ?? Task.CompletedTask, _postgres?.StopAsync() ?? Task.CompletedTask);
            if (!_folder.KeepsData)
                _folder.Remove();
        }
        finally
        {
            _folder.Dispose();
        }
    }

    private async Task StartPostgresAsync(LocalServersOptions options, CancellationToken ct)
    {
        if (options.Servers.HasFlag(ServerKinds.Postgres) && _postgresExternal is null)
            _postgres = await PostgresServer.StartAsync(_folder, options, ct);
        else if (_postgresExternal is not null)
            options.Log.ExternalServer("Postgres", new NpgsqlConnectionStringBuilder(_postgresExternal).Host ?? "?", PostgresVariable);
    }

    private async Task StartRedisAsync(LocalServersOptions options, CancellationToken ct)
    {
        if (options.Servers.HasFlag(ServerKinds.Redis) && _redisExternal is null)
            _redis = await RedisServer.StartAsync(_folder, options, ct);
        else if (_redisExternal is not null)
            options.Log.ExternalServer("Redis", _redisExternal.Split(',')[0], RedisVariable);
    }

    private async Task StartKafkaAsync(LocalServersOptions options, CancellationToken ct)
    {
        if (options.Servers.HasFlag(ServerKinds.Kafka))
            _kafka = await KafkaBroker.StartFirstAsync(_folder, options, ct);
    }

    private static string? External(LocalServersOptions options, ServerKinds kind, string variable)
    {
        string? value = Environment.GetEnvironmentVariable(variable);
        return options.UseExternal && options.Servers.HasFlag(kind) && !string.IsNullOrEmpty(value) ? value : null;
    }

    private static InvalidOperationException NotOurs(string server, string variable) =>
        new($"{server} was not started by this set of servers: it was not asked for, or {variable} names one.");
}
