using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
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
        (Source, Topics, Multiplexer, Prefix) = (source, topics, redis, prefix);
        Graph = new PostgresGraph(source);
        Redis = new RedisGraph(redis, prefix);
        Options = new IngestOptions
        {
            BootstrapServers = servers.Kafka, Topics = topics, GroupId = group, MaxBatchAge = TimeSpan.FromMilliseconds(20), SessionTimeout = TimeSpan.FromSeconds(6),
        };
        _producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig { BootstrapServers = servers.Kafka, LingerMs = 5 }).Build();
    }

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public NpgsqlDataSource Source { get; }
    public PostgresGraph Graph { get; }
    public RedisGraph Redis { get; }
    public IConnectionMultiplexer Multiplexer { get; }
    public string Prefix { get; }
    public Topics Topics { get; }
    public IngestOptions Options { get; init; }

    public static async Task<Harness> StartAsync(Servers servers, [System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var source = await servers.NewSchemaAsync(test, Stop);
        var harness = new Harness(
            servers, source, await servers.NewTopicsAsync(test, Stop), await ConnectionMultiplexer.ConnectAsync(servers.Redis + ",abortConnect=false,allowAdmin=true"),
            servers.NewRedisPrefix(test), servers.NewGroup(test));
        await harness.Graph.MigrateAsync(Stop);
        return harness;
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
        using var writer = new InteractionWriter();
        var pending = new List<Task>();
        for (var i = 0; i < count; i++)
        {
            var (buffer, e) = (new ArrayBufferWriter<byte>(), events[i]);
            writer.Write(buffer, string.Create(CultureInfo.InvariantCulture, $"event-{seed}-{i}"), e.UserId, e.ItemId, EventTypes.Default.Find(e.Type)!.Name, e.Value, e.TimeMs);
            pending.Add(ProduceAsync(Topics.Interactions, e.UserId, buffer.WrittenSpan.ToArray()));
        }

        await Task.WhenAll(pending);
        return events;
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
        return await DoneAsync() >= count;
    });

    public Task UntilRedisFollowsAsync() => UntilAsync("every watermark stands where Postgres does", async () =>
    {
        var offsets = await Graph.NextOffsetsAsync(Topics.Interactions, Stop);
        var applied = await Task.WhenAll(offsets.Select(async o => await Redis.AppliedAsync(o.Key) == o.Value));
        return applied.All(a => a);
    });

    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        for (var clock = Stopwatch.StartNew(); !await holds();)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"not within 60 s: {what}");
            await Task.Delay(20, Stop);
        }
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
                    _ => (await database.StringGetAsync(key)).ToString(),
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
