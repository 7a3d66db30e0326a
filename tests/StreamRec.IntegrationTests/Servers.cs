using System.Runtime.CompilerServices;
using Npgsql;
using StreamRec.Contracts;
using StreamRec.IntegrationTests;
using StreamRec.Local;
using Xunit;

[assembly: AssemblyFixture(typeof(Servers))]

namespace StreamRec.IntegrationTests;

/// <summary>
/// The servers all integration tests of this assembly share: STREAMREC_TEST_PG, STREAMREC_TEST_REDIS and STREAMREC_TEST_KAFKA where
/// <c>./streamrec test</c> or CI set them, else private ones started on the first use. Each test takes its own schema, key prefix and topics.
/// A test class asks for it in its constructor: <c>public sealed class MyTests(Servers servers)</c>.
/// </summary>
public class Servers : IAsyncLifetime
{
    /// <summary>Trait of tests that need a real Kafka: <c>[Trait(Servers.Needs, Servers.RealKafka)]</c> and <see cref="RequireRealKafka"/>.</summary>
    public const string Needs = "needs";

    public const string RealKafka = "real-kafka";

    private readonly List<NpgsqlDataSource> _sources = [];
    private LocalServers? _local;
    private readonly LocalServersOptions? _own;
    private int _count;

    /// <summary>Npgsql connection string of the shared database; take <see cref="NewSchemaAsync"/> for tables.</summary>
    public string Postgres { get; private set; } = "";

    /// <summary>StackExchange.Redis configuration; keys go under <see cref="NewRedisPrefix"/>.</summary>
    public string Redis { get; private set; } = "";

    /// <summary>bootstrap.servers; topics from <see cref="NewTopicsAsync"/>.</summary>
    public string Kafka { get; private set; } = "";

    /// <summary>Whether <see cref="Kafka"/> is a real broker or librdkafka's in-process one.</summary>
    public bool KafkaIsReal { get; private set; }

    public Servers()
    {
    }

    /// <summary>Servers of the tests' own, whatever the environment names.</summary>
    protected Servers(LocalServersOptions own) => _own = own;

    /// <summary>Silence after which the broker takes a consumer's partitions away: as short as the broker allows.</summary>
    public virtual TimeSpan SessionTimeout => TimeSpan.FromSeconds(6);

    /// <summary>The private servers among them.</summary>
    protected LocalServers Local => _local!;

    public async ValueTask InitializeAsync()
    {
        if (_own is not null)
        {
            _local = await LocalServers.StartAsync(_own, CancellationToken.None);
            (Postgres, Redis, Kafka, KafkaIsReal) = (_local.PostgresConnectionString, _local.RedisConnectionString, _local.KafkaBootstrap, _local.KafkaIsReal);
            return;
        }

        string? postgres = Environment.GetEnvironmentVariable("STREAMREC_TEST_PG");
        string? redis = Environment.GetEnvironmentVariable("STREAMREC_TEST_REDIS");
        string? kafka = Environment.GetEnvironmentVariable("STREAMREC_TEST_KAFKA");
        ServerKinds missing = (postgres is null ? ServerKinds.Postgres : 0) | (redis is null ? ServerKinds.Redis : 0) |
            (kafka is null ? ServerKinds.Kafka : 0);
        if (missing != ServerKinds.None)
        {
            var options = new LocalServersOptions { Root = LocalPaths.NewRunFolder("tests"), Servers = missing };
            _local = await LocalServers.StartAsync(options, CancellationToken.None);
        }

        Postgres = postgres ?? _local!.PostgresConnectionString;
        Redis = redis ?? _local!.RedisConnectionString;
        Kafka = kafka ?? _local!.KafkaBootstrap;
        KafkaIsReal = kafka is not null || _local!.KafkaIsReal;
    }

    /// <summary>Skips the calling test with the reason where the broker is the in-process one.</summary>
    /// <param name="why">What the test needs that the in-process broker lacks: restart, retention, transactions, compaction …</param>
    public void RequireRealKafka(string why) => Assert.SkipUnless(KafkaIsReal,
        $"needs a real Kafka ({why}): set STREAMREC_KAFKA_HOME to an Apache Kafka folder or STREAMREC_KAFKA_BOOTSTRAP to a running one, or start Docker");

    /// <summary>A new empty schema named after the test; the data source's search path is that schema alone. Disposed with the fixture.</summary>
    public async Task<NpgsqlDataSource> NewSchemaAsync([CallerMemberName] string test = "", CancellationToken ct = default)
    {
        string schema = Unique(test, 50).ToLowerInvariant();
        // A test's connections go soon after it has ended: all tests share one server.
        var settings = new NpgsqlConnectionStringBuilder(Postgres)
        {
            SearchPath = schema, MaxPoolSize = 20, IncludeErrorDetail = true, ConnectionIdleLifetime = 4, ConnectionPruningInterval = 2,
        };
        NpgsqlDataSource source = NpgsqlDataSource.Create(settings);
        lock (_sources)
            _sources.Add(source);
        await using NpgsqlCommand command = source.CreateCommand($"CREATE SCHEMA \"{schema}\"");
        await command.ExecuteNonQueryAsync(ct);
        return source;
    }

    /// <summary>A key prefix no other test uses, ending in a colon.</summary>
    public string NewRedisPrefix([CallerMemberName] string test = "") => Unique(test, 60) + ":";

    /// <summary>A group id no other test uses.</summary>
    public string NewGroup([CallerMemberName] string test = "") => Unique(test, 60);

    /// <summary>All seven topics under a prefix no other test uses, created.</summary>
    public async Task<Topics> NewTopicsAsync([CallerMemberName] string test = "", CancellationToken ct = default)
    {
        var topics = new Topics { Prefix = Unique(test, 60) + "." };
        await CreateTopicsAsync(topics.All, ct);
        return topics;
    }

    /// <summary>Creates topics; names should start with a prefix of the test's own.</summary>
    public Task CreateTopicsAsync(IEnumerable<TopicSpec> topics, CancellationToken ct = default)
    {
        LocalTopic[] wanted = [.. topics.Select(t => new LocalTopic(t.Name, t.Partitions, t.Config))];
        return _local is not null && !KafkaIsReal
            ? _local.CreateTopicsAsync(wanted, ct)
            : KafkaTopics.EnsureAsync(Kafka, wanted, ct);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (NpgsqlDataSource source in _sources)
            await source.DisposeAsync();
        if (_local is not null)
            await _local.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    // The process id keeps assemblies apart that run against the same servers.
    private string Unique(string test, int length)
    {
        string tail = $"_{Environment.ProcessId}_{Interlocked.Increment(ref _count)}";
        return test[..Math.Min(test.Length, length - tail.Length)] + tail;
    }
}
