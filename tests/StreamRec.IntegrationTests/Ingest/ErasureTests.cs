using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Roles;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>One erasure, followed into every store there is.</summary>
[Collection(Faults.Name)]
public sealed class ErasureTests(FaultServers servers)
{
    private const string Gone = "erase-me-4f1b";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    [Trait(Servers.Needs, Servers.RealKafka)]
    public async Task No_store_holds_the_id_of_an_erased_person()
    {
        servers.RequireRealKafka("compaction");
        await using var h = await Harness.StartAsync(servers);
        await h.ConfigureAsync(
            h.Topics.Recommendations,
            ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001"),
            ("delete.retention.ms", "0"), ("max.compaction.lag.ms", "1"));
        await using var host = await RoleHost.StartAsync(SettingsOf(h), RoleSet.Ingest | RoleSet.Scorer, NullLoggerFactory.Instance, Stop);
        await h.ProduceAsync(
            h.Topics.Users, Gone,
            Json.Encode(new UserRecord { UserId = Gone, Attributes = new Dictionary<string, string> { ["alias"] = Gone } }));
        await h.ProduceEventsAsync(400, users: 60);
        for (var i = 0; i < 30; i++)
        {
            await h.ProduceAsync(
                h.Topics.Interactions, Gone,
                Encoding.UTF8.GetBytes($$"""{"event_id":"g{{i}}","user_id":"{{Gone}}","item_id":"i{{i}}","type":"like","time":1700000000000}"""));
        }
        await Harness.UntilAsync(
            "the person has a list",
            async () => await h.Redis.LatestAsync(Gone) is not null && (await h.Redis.RecentAsync(Gone)).Count == 30);
        await Harness.UntilAsync("the person's list is on the topic", () => Task.FromResult(OnTopic(h)));
        Assert.NotEmpty(await TablesWithItAsync(h));

        await h.ProduceAsync(h.Topics.Users, Gone, null);
        await Harness.UntilAsync("the person is erased", () => Task.FromResult(host.Ingest!.Stats.Erased == 1));
        await Harness.UntilAsync("Redis holds nothing of the person", async () => (await RedisKeysWithItAsync(h)).Count == 0);
        Assert.Empty(await TablesWithItAsync(h));

        // Other people's lists roll the topic's segments; a closed segment is compacted, and the tombstone goes with the next pass.
        for (var round = 2; OnTopic(h); round++)
        {
            Assert.True(round < 60, "the topic still holds the person's list or its tombstone");
            var lists = host.Scorer!.Stats.Lists;
            await h.ProduceEventsAsync(120, seed: round, users: 60);
            await Harness.UntilAsync("lists come", () => Task.FromResult(host.Scorer.Stats.Lists > lists));
        }

        Assert.Empty(await TablesWithItAsync(h));
        Assert.Empty(await RedisKeysWithItAsync(h));
        var live = LiveGraph.Load(await h.Graph.SnapshotAsync(cancellation: Stop), new LiveGraphOptions { MaxEdges = 10_000 }, Stop);
        Assert.False(live.TryGetUser(Gone, out _));
    }

    private static Settings SettingsOf(Harness h) => new()
    {
        Kafka = new KafkaSettings { BootstrapServers = h.Options.BootstrapServers, TopicPrefix = h.Topics.Prefix },
        Postgres = new PostgresSettings { ConnectionString = h.Source.ConnectionString },
        Redis = new RedisSettings { ConnectionString = h.Servers.Redis, KeyPrefix = h.Prefix },
        Http = new HttpSettings { Url = "http://127.0.0.1:0" },
        Ingest = h.Options,
        Scorer = new()
        {
            BootstrapServers = h.Options.BootstrapServers,
            GroupId = h.Options.GroupId + "-scorer",
            Debounce = TimeSpan.FromMilliseconds(20),
            SessionTimeout = TimeSpan.FromSeconds(6),
        },
    };

    /// <summary>Every column of every table of the schema, as text.</summary>
    private static async Task<List<string>> TablesWithItAsync(Harness h)
    {
        var tables = new List<string>();
        await using (var query = h.Source.CreateCommand(
            "select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')"))
        {
            await using var reader = await query.ExecuteReaderAsync(Stop);
            while (await reader.ReadAsync(Stop))
                tables.Add(reader.GetString(0));
        }

        Assert.Contains("users", tables);
        var found = new List<string>();
        foreach (var table in tables)
        {
            await using var scan = h.Source.CreateCommand($"select count(*) from \"{table}\" t where t::text like '%{Gone}%'");
            if (await scan.ExecuteScalarAsync(Stop) is not 0L)
                found.Add(table);
        }

        return found;
    }

    private static async Task<List<string>> RedisKeysWithItAsync(Harness h) =>
        [.. (await h.DumpRedisAsync()).Where(line => line.Contains(Gone, StringComparison.Ordinal))];

    /// <summary>Whether any record the recommendations topic still holds has the id in its key or value.</summary>
    private static bool OnTopic(Harness h)
    {
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = h.Options.BootstrapServers, GroupId = "scan-" + Guid.NewGuid(), EnableAutoCommit = false, EnablePartitionEof = true,
        }).SetLogHandler((_, _) => { }).Build();
        var partitions = h.Topics.All.Single(t => t.Name == h.Topics.Recommendations).Partitions;
        consumer.Assign(Enumerable.Range(0, partitions).Select(p => new TopicPartitionOffset(h.Topics.Recommendations, p, Offset.Beginning)));
        for (var ends = 0; ends < partitions;)
        {
            var record = consumer.Consume(Stop);
            if (record.IsPartitionEOF)
                ends++;
            else if (Holds(record.Message.Key) || Holds(record.Message.Value))
                return true;
        }

        return false;
    }

    private static bool Holds(byte[]? bytes) => bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Gone)) >= 0;
}
