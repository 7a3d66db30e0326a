using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StackExchange.Redis;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Ingest;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>One test's own schema, topics, group and Redis prefix, with ingest workers to start and stop.</summary>
internal sealed class Harness : IAsyncDisposable
{
    private readonly List<(Task Run, CancellationTokenSource Stop)> _running = [];
    private readonly IProducer<byte[]?, byte[]?> _producer;

    private Harness(Servers servers, NpgsqlDataSource source, Topics topics, IConnectionMultiplexer redis, string prefix, string group)
    {
        (Source, Topics, Multiplexer, Prefix, Servers) = (source, topics, redis, prefix, servers);
        Graph = new PostgresGraph(source);
        Redis = new RedisGraph(redis, prefix);
        Options = new IngestOptions
        {
            BootstrapServers = servers.Kafka, Topics = topics, GroupId = group,
            MaxBatchAge = TimeSpan.FromMilliseconds(20), SessionTimeout = servers.SessionTimeout,
        };
        _producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig
        {
            BootstrapServers = servers.Kafka, LingerMs = 5, EnableIdempotence = true, MessageMaxBytes = 20_000_000,
        }).SetLogHandler((_, _) => { }).Build();
    }

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public Servers Servers { get; }
    public NpgsqlDataSource Source { get; }
    public PostgresGraph Graph { get; }
    public RedisGraph Redis { get; }
    public IConnectionMultiplexer Multiplexer { get; }
    public string Prefix { get; }
    public Topics Topics { get; }
    public IngestOptions Options { get; init; }

    /// <summary>For the program's verbs, see <see cref="Verb"/>.</summary>
    public IReadOnlyList<string> Settings =>
    [
        $"POSTGRES__CONNECTIONSTRING={Source.ConnectionString}", $"REDIS__CONNECTIONSTRING={Servers.Redis}", $"REDIS__KEYPREFIX={Prefix}",
        $"KAFKA__BOOTSTRAPSERVERS={Options.BootstrapServers}", $"KAFKA__TOPICPREFIX={Topics.Prefix}",
    ];

    public static Task<Harness> StartAsync(Servers servers, [System.Runtime.CompilerServices.CallerMemberName] string test = "") =>
        StartAsync(servers, Task.FromResult, test);

    /// <param name="servers">The servers.</param>
    /// <param name="place">Decides where the new schema's tables go.</param>
    /// <param name="test">The caller.</param>
    public static async Task<Harness> StartAsync(
        Servers servers, Func<NpgsqlDataSource, Task<NpgsqlDataSource>> place, [System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var source = await place(await servers.NewSchemaAsync(test, Stop));
        var harness = new Harness(
            servers, source, await servers.NewTopicsAsync(test, Stop),
            await ConnectionMultiplexer.ConnectAsync(servers.Redis + ",abortConnect=false,allowAdmin=true"),
            servers.NewRedisPrefix(test), servers.NewGroup(test));
        await harness.Graph.MigrateAsync(Stop);
        return harness;
    }

    /// <summary>The same log with nothing consumed: another schema, prefix and group.</summary>
    public async Task<Harness> FreshSchemaAsync([System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var fresh = new Harness(
            Servers, await Servers.NewSchemaAsync(test, Stop), Topics,
            await ConnectionMultiplexer.ConnectAsync(Servers.Redis + ",abortConnect=false,allowAdmin=true"),
            Servers.NewRedisPrefix(test), Servers.NewGroup(test));
        await fresh.Graph.MigrateAsync(Stop);
        return fresh;
    }

    /// <summary>A new process' worth of ingest: its own caches and consumer.</summary>
    public IngestWorker StartWorker(IngestOptions? options = null)
    {
        var worker = new IngestWorker(options ?? Options, new PostgresGraph(Source), Redis, EventTypes.Default, NullLoggerFactory.Instance);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        _running.Add((worker.RunAsync(stop.Token), stop));
        return worker;
    }

    public async Task StopWorkersAsync()
    {
        foreach (var (run, stop) in _running)
        {
            await stop.CancelAsync();
            await run;
            stop.Dispose();
        }

        _running.Clear();
    }

    public Task ProduceAsync(string topic, string? key, byte[]? value, params (string Name, string Value)[] headers)
    {
        var message = new Message<byte[]?, byte[]?> { Key = key is null ? null : Encoding.UTF8.GetBytes(key), Value = value, Headers = [] };
        foreach (var (name, text) in headers)
            message.Headers.Add(name, Encoding.UTF8.GetBytes(text));
        return _producer.ProduceAsync(topic, message, Stop);
    }

    /// <summary>Produces made-up events; the answer is their digest's input.</summary>
    public async Task<Interaction[]> ProduceEventsAsync(int count, int seed = 1, int users = 200)
    {
        var events = TestEvents.Many(count, seed, users);
        await ProduceAsync(events, seed, Enumerable.Range(0, count));
        return events;
    }

    /// <summary>Produces events in a given order, any of them more than once where the order says so.</summary>
    public async Task ProduceAsync(Interaction[] events, int seed, IEnumerable<int> order)
    {
        using var writer = new InteractionWriter();
        var pending = new List<Task>();
        foreach (var i in order)
        {
            var (buffer, e) = (new ArrayBufferWriter<byte>(), events[i]);
            writer.Write(buffer, TestEvents.EventId(seed, i), e.UserId, e.ItemId, EventTypes.Default.Find(e.Type)!.Name, e.Value, e.TimeMs);
            pending.Add(ProduceAsync(Topics.Interactions, e.UserId, buffer.WrittenSpan.ToArray()));
        }

        await Task.WhenAll(pending);
    }

    /// <summary>Changes a topic's settings on the broker.</summary>
    public async Task ConfigureAsync(string topicName, params (string Name, string Value)[] settings)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Options.BootstrapServers }).SetLogHandler((_, _) => { }).Build();
        var topic = new ConfigResource { Type = ResourceType.Topic, Name = topicName };
        var entries = settings.Select(s => new ConfigEntry { Name = s.Name, Value = s.Value, IncrementalOperation = AlterConfigOpType.Set }).ToList();
        await admin.IncrementalAlterConfigsAsync(new Dictionary<ConfigResource, List<ConfigEntry>> { [topic] = entries });
    }

    /// <summary>Records of the interactions topic that are dealt with, over all workers and restarts.</summary>
    public async Task<long> DoneAsync()
    {
        var progress = await Graph.ProgressAsync(Topics.Interactions, Stop);
        return progress.Sum(p => p.Applied + p.Duplicates) + (await Graph.DeadLetterCountsAsync(Stop)).Values.Sum();
    }

    public Task UntilDoneAsync(long count) => UntilAsync($"{count} records are dealt with", async () =>
    {
        foreach (var (run, _) in _running.Where(r => r.Run.IsFaulted))
            await run;
        try
        {
            return await DoneAsync() >= count;
        }
        catch (NpgsqlException e) when (PostgresGraph.IsOutage(e))
        {
            return false; // a test that takes Postgres away asks meanwhile
        }
    });

    public Task UntilRedisFollowsAsync() => UntilAsync("every watermark stands where Postgres does", async () =>
    {
        var offsets = await Graph.NextOffsetsAsync(Topics.Interactions, Stop);
        try
        {
            var applied = await Task.WhenAll(offsets.Select(async o => await Redis.AppliedAsync(o.Key) == o.Value));
            return applied.All(a => a);
        }
        catch (Exception e) when (RedisGraph.IsOutage(e))
        {
            return false; // the client has not noticed yet that Redis is back
        }
    });

    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        for (var clock = Stopwatch.StartNew(); !await holds();)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(150), $"not within 150 s: {what}");
            await Task.Delay(20, Stop);
        }
    }

    /// <summary>
    /// What every fault test ends on: the graph is the one computed straight from the input, each record is counted once, the edges are
    /// the fold of the interactions, and Redis shows what a rebuild from Postgres shows.
    /// </summary>
    public async Task AssertExactlyOnceAsync(IReadOnlyList<Interaction> events, long duplicates = 0)
    {
        Assert.Equal(GraphDigest.Of(events).ToString(), await Graph.DigestAsync(Stop));
        var progress = await Graph.ProgressAsync(Topics.Interactions, Stop);
        Assert.Equal((events.Count, duplicates, 0L), (progress.Sum(p => p.Applied), progress.Sum(p => p.Duplicates), progress.Sum(p => p.Lost)));
        Assert.Equal(0L, await DifferentEdgesAsync());
        await UntilRedisFollowsAsync();
        var live = await DumpRedisAsync();
        Assert.NotEmpty(live);
        await Redis.RebuildAsync(Graph, Topics.Interactions, cancellation: Stop);
        Assert.Equal(live, await DumpRedisAsync());
    }

    private async Task<long> DifferentEdgesAsync()
    {
        const string fold = """
            select user_key, item_key, sum(w.weight)::bigint, min(time_ms), max(time_ms), count(*)::int, (max(time_ms * 32 + type) % 32)::smallint
              from interactions join unnest($1, $2) as w (type, weight) using (type) group by user_key, item_key
            """;
        const string stored = "select user_key, item_key, weight, first_ms, last_ms, count, last_type from edges";
        await using var query = Source.CreateCommand(
            $"select (select count(*) from ({fold} except {stored}) a) + (select count(*) from ({stored} except {fold}) b)");
        query.Parameters.Add(new() { Value = EventTypes.Default.All.Select(t => (short)t.Code).ToArray() });
        query.Parameters.Add(new() { Value = EventTypes.Default.All.Select(t => (int)Math.Round(t.Weight * 1000.0)).ToArray() });
        return (long)(await query.ExecuteScalarAsync(Stop))!;
    }

    /// <summary>Everything under this test's Redis prefix, as text, in order.</summary>
    public async Task<string[]> DumpRedisAsync()
    {
        var lines = new List<string>();
        var database = Multiplexer.GetDatabase();
        foreach (var endpoint in Multiplexer.GetEndPoints())
        {
            foreach (var key in Multiplexer.GetServer(endpoint).Keys(database.Database, Prefix + "*", 1000))
            {
                var content = await database.KeyTypeAsync(key) switch
                {
                    RedisType.SortedSet => string.Join(' ', (await database.SortedSetRangeByRankWithScoresAsync(key)).Select(e => $"{e.Element}={e.Score:R}")),
                    RedisType.Hash => string.Join(' ', (await database.HashGetAllAsync(key)).Select(e => $"{e.Name}={e.Value}").Order(StringComparer.Ordinal)),
                    RedisType.Set => string.Join(' ', (await database.SetMembersAsync(key)).Select(m => m.ToString()).Order(StringComparer.Ordinal)),
                    _ => Encoding.Latin1.GetString((byte[])(await database.StringGetAsync(key))!), // histories are bytes
                };
                lines.Add($"{key} {content}");
            }
        }

        return [.. lines.Order(StringComparer.Ordinal)];
    }

    public async ValueTask DisposeAsync()
    {
        await StopWorkersAsync();
        _producer.Dispose();
        Multiplexer.Dispose();
    }
}
