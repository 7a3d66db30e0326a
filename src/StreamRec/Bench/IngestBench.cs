using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StackExchange.Redis;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Ingest;
using StreamRec.Local;

namespace StreamRec.Bench;

/// <summary>
/// The way of an interaction from the log into the graph, on servers of its own: decoding, Kafka to Postgres and Redis beside a plain COPY of
/// the same rows, memory under a backlog, and the start of a live graph from what is in Postgres.
/// </summary>
public sealed class IngestBench
{
    private readonly BenchLog _log;
    private readonly IngestOptions _options;

    /// <param name="log">Receives the numbers.</param>
    /// <param name="options">Batch and fetch sizes; servers, topics and group are the bench's own.</param>
    public IngestBench(BenchLog log, IngestOptions options) => (_log, _options) = (log, options);

    /// <summary>All of it: about 5 minutes on an idle machine with 2 cores, 3 GB of disk.</summary>
    /// <param name="events">Events of the largest round; a tenth of it is measured before.</param>
    /// <param name="snapshotEdges">Interactions the live graph starts from; 0 leaves that out.</param>
    /// <param name="ct">Stops between and within measurements.</param>
    /// <exception cref="LocalServerException">There is no real Kafka to start: the in-process broker does not keep a backlog.</exception>
    public async Task RunAsync(int events, int snapshotEdges, CancellationToken ct)
    {
        _log.Add(DecodeBench.Run(Math.Min(events, 1_000_000)));
        var options = new LocalServersOptions { Root = LocalPaths.NewRunFolder("bench"), UseExternal = false, Kafka = KafkaChoice.Real };
        await using var servers = await LocalServers.StartAsync(options, ct);
        foreach (var size in (int[])[events / 10, events])
            await RoundAsync(servers, new BenchEvents(size, Math.Max(1, size / 10), Math.Max(1, size / 40)), size == events, ct);
        _log.Add(await RedisMemory.RunAsync(servers.RedisConnectionString, events / 10, ct));
        if (snapshotEdges > 0)
            await StartAsync(servers, new BenchEvents(snapshotEdges, snapshotEdges / 50, snapshotEdges / 500), ct);
    }

    private async Task RoundAsync(LocalServers servers, BenchEvents events, bool largest, CancellationToken ct)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"bench_{events.Count}");
        var topics = new Topics { Prefix = name + "." };
        await servers.CreateTopicsAsync(LocalTopics.Of(topics), ct);
        _log.Say($"producing {events.Shape}");
        Produce(servers.KafkaBootstrap, topics.Interactions, events, ct);
        await using var source = await SchemaAsync(servers, name, ct);
        using var redis = await ConnectionMultiplexer.ConnectAsync(servers.RedisConnectionString);
        var graph = new PostgresGraph(source);
        await graph.MigrateAsync(ct);
        var limit = await CopyLimit.RunAsync(source, events, ct);
        var (seconds, allocated) = await IngestAsync(servers, graph, new RedisGraph(redis, name + ":"), topics, events.Count, ct);
        var suffix = largest ? "" : string.Create(CultureInfo.InvariantCulture, $"_{events.Count / 1000}k");
        _log.Add(BenchResult.Beside("ingest_durable" + suffix, events.Count / seconds, "events/s", events.Count / limit,
            $"Kafka to Postgres (fsync) and Redis, start of the worker to the last commit and watermark, {events.Shape}; "
            + "limit: one binary COPY of the same rows into a table with the same indexes"));
        _log.Add(BenchResult.Alone(
            "ingest_alloc" + suffix, allocated / (double)events.Count, "bytes/event",
            $"allocated by the whole process while it ingested, {events.Shape}"));
        if (largest)
            await MemoryAsync(servers, topics, events, ct);
    }

    private async Task<(double Seconds, long Allocated)> IngestAsync(
        LocalServers servers, PostgresGraph graph, RedisGraph redis, Topics topics, long count, CancellationToken ct)
    {
        var options = _options with { BootstrapServers = servers.KafkaBootstrap, Topics = topics, GroupId = topics.Prefix + "ingest" };
        var worker = new IngestWorker(options, graph, redis, EventTypes.Default, NullLoggerFactory.Instance);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var before = GC.GetTotalAllocatedBytes();
        var watch = Stopwatch.StartNew();
        var run = worker.RunAsync(stop.Token);
        while (worker.Stats.Applied < count || !await FollowsAsync(graph, redis, topics))
        {
            if (run.IsFaulted)
                await run;
            await Task.Delay(10, ct);
        }

        var result = (watch.Elapsed.TotalSeconds, GC.GetTotalAllocatedBytes() - before);
        await stop.CancelAsync();
        await run;
        return result;
    }

    private static async Task<bool> FollowsAsync(PostgresGraph graph, RedisGraph redis, Topics topics)
    {
        foreach (var (partition, next) in await graph.NextOffsetsAsync(topics.Interactions))
        {
            if (await redis.AppliedAsync(partition) < next)
                return false;
        }

        return true;
    }

    /// <summary>The same log again into another schema, by a process of its own whose resident memory is watched.</summary>
    private async Task MemoryAsync(LocalServers servers, Topics topics, BenchEvents events, CancellationToken ct)
    {
        const string name = "bench_memory";
        await using var source = await SchemaAsync(servers, name, ct);
        await using var watched = new WatchedIngest(servers, source.ConnectionString, topics, name);
        var graph = new PostgresGraph(source);
        await graph.MigrateAsync(ct);
        watched.Start();
        var backlog = Math.Min(events.Count, 1_000_000);
        var early = 0L;
        for (var done = 0L; done < backlog;)
        {
            watched.Look();
            done = (await graph.ProgressAsync(topics.Interactions, ct)).Sum(p => p.Applied + p.Duplicates);
            if (early == 0 && done >= backlog / 5)
                early = watched.Peak;
            await Task.Delay(100, ct);
        }

        _log.Add(BenchResult.Alone("ingest_rss", watched.Peak / 1e6, "MB", string.Create(CultureInfo.InvariantCulture,
            $"largest resident memory of 'streamrec run ingest' while it worked off {backlog:N0} of {events.Shape}; "
            + $"after a fifth of them it was {early / 1e6:N0} MB")));
    }

    private async Task StartAsync(LocalServers servers, BenchEvents edges, CancellationToken ct)
    {
        await using var source = await SchemaAsync(servers, "bench_start", ct);
        var graph = new PostgresGraph(source);
        await graph.MigrateAsync(ct);
        _log.Say($"filling Postgres with {edges.Shape}");
        await FillAsync(graph, source, edges, ct);
        var limit = await CopyLimit.ReadAsync(source, ct);
        var watch = Stopwatch.StartNew();
        var snapshot = await graph.SnapshotAsync(cancellation: ct);
        var read = watch.Elapsed.TotalSeconds;
        var live = LiveGraph.Load(snapshot, new LiveGraphOptions { MaxEdges = edges.Count }, ct);
        _log.Add(BenchResult.Beside("live_graph_start", watch.Elapsed.TotalSeconds, "s", limit, string.Create(CultureInfo.InvariantCulture,
            $"snapshot from Postgres ({read:N1} s) and LiveGraph.Load, {live.EdgeCount:N0} edges, {live.UserCount:N0} users; "
            + $"limit: COPY of the same columns to nowhere")));
    }

    private static async Task FillAsync(PostgresGraph graph, NpgsqlDataSource source, BenchEvents edges, CancellationToken ct)
    {
        // The first and last event make the monthly partitions; their rows go again.
        var batch = new InteractionBatch("fill", 0);
        await graph.ClaimAsync("fill", 0, 0, ct);
        batch.Reset(0);
        for (var i = 0; i < 40; i++)
            batch.Add(i, new Interaction((UInt128)i, "x", "x", 1, float.NaN, edges[(int)((edges.Count - 1L) * i / 39)].TimeMs));
        await graph.ApplyAsync(batch, ct);
        await using var ids = source.CreateCommand($"""
            truncate users restart identity; truncate items restart identity; truncate edges; truncate interactions;
            insert into users (user_id) select 'u' || n from generate_series(0, {edges.Count / 50}) n;
            insert into items (item_id) select 'i' || n from generate_series(0, {edges.Count / 500}) n
            """);
        ids.CommandTimeout = 0;
        await ids.ExecuteNonQueryAsync(ct);
        await CopyLimit.CopyAsync(source, "interactions", edges, ct);
        await using var analyze = source.CreateCommand("vacuum analyze interactions");
        analyze.CommandTimeout = 0;
        await analyze.ExecuteNonQueryAsync(ct);
    }

    private static async Task<NpgsqlDataSource> SchemaAsync(LocalServers servers, string name, CancellationToken ct)
    {
        var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(servers.PostgresConnectionString) { SearchPath = name, CommandTimeout = 0 });
        await using var create = source.CreateCommand($"create schema {name}");
        await create.ExecuteNonQueryAsync(ct);
        return source;
    }

    private static void Produce(string bootstrap, string topic, BenchEvents events, CancellationToken ct)
    {
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
        {
            BootstrapServers = bootstrap, LingerMs = 20, CompressionType = CompressionType.Lz4,
            QueueBufferingMaxMessages = 500_000, EnableDeliveryReports = false,
            Partitioner = Partitioner.Murmur2Random,
        }).SetLogHandler((_, _) => { }).Build();
        using var writer = new InteractionWriter();
        var buffer = new ArrayBufferWriter<byte>();
        for (var i = 0; i < events.Count; i++)
        {
            buffer.ResetWrittenCount();
            events.Write(writer, buffer, i);
            var message = new Message<byte[], byte[]>
            {
                Key = System.Text.Encoding.UTF8.GetBytes(BenchEvents.UserId(events[i].User)),
                Value = buffer.WrittenSpan.ToArray(),
            };
            Send(producer, topic, message, ct);
        }

        producer.Flush(ct);
    }

    private static void Send(IProducer<byte[], byte[]> producer, string topic, Message<byte[], byte[]> message, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                producer.Produce(topic, message);
                return;
            }
            catch (ProduceException<byte[], byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
            {
                ct.ThrowIfCancellationRequested();
                producer.Poll(TimeSpan.FromMilliseconds(10));
            }
        }
    }
}
