using System.Runtime.CompilerServices;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Npgsql;
using StackExchange.Redis;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Scorer;
using Xunit;

namespace StreamRec.IntegrationTests.Scorer;

/// <summary>One test's own topics, schema and key prefix, with a scorer to start and stop and a client's view of what it sends.</summary>
internal sealed class ScorerFixture : IAsyncDisposable
{
    private readonly Servers _servers;
    private readonly NpgsqlDataSource _source;
    private readonly ConnectionMultiplexer _redis;
    private readonly IProducer<string?, string?> _producer;
    private readonly IConsumer<string?, byte[]?> _lists;
    private readonly string _group;
    private readonly string _artifacts = Path.Combine(Path.GetTempPath(), "streamrec-scorer-" + Guid.NewGuid().ToString("N"));
    private CancellationTokenSource? _stop;
    private Task _run = Task.CompletedTask;

    private ScorerFixture(Servers servers, NpgsqlDataSource source, ConnectionMultiplexer redis, Topics topics, string prefix, string group)
    {
        (_servers, _source, _redis, Topics, _group) = (servers, source, redis, topics, group);
        Postgres = new PostgresGraph(source);
        Redis = new RedisGraph(redis, prefix);
        Registry = new ModelRegistry(source);
        _producer = new ProducerBuilder<string?, string?>(new ProducerConfig
        {
            BootstrapServers = servers.Kafka,
            Acks = Acks.All,
            Partitioner = Partitioner.Murmur2Random,
        })
            .SetKeySerializer(Text).SetValueSerializer(Text).SetLogHandler((_, _) => { }).Build();
        _lists = Reader(topics.Recommendations);
    }

    private static ISerializer<string?> Text { get; } = new NullableText();

    public Topics Topics { get; }

    public PostgresGraph Postgres { get; }

    public RedisGraph Redis { get; }

    public ModelRegistry Registry { get; }

    public ScorerWorker Worker { get; private set; } = null!;

    /// <summary>Every list read so far, oldest first; a tombstone has a null list.</summary>
    public List<(string? Key, RecommendationList? List, Headers Headers)> Lists { get; } = [];

    /// <summary>Log lines go to the test's output.</summary>
    private static ILoggerFactory Loggers { get; } = LoggerFactory.Create(b => b.AddProvider(new TestOutputLogs()));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<ScorerFixture> CreateAsync(Servers servers, [CallerMemberName] string test = "")
    {
        var source = await servers.NewSchemaAsync(test, Ct);
        var redis = await ConnectionMultiplexer.ConnectAsync(servers.Redis);
        var fixture = new ScorerFixture(servers, source, redis, await servers.NewTopicsAsync(test, Ct), servers.NewRedisPrefix(test), servers.NewGroup(test));
        await fixture.Postgres.MigrateAsync(Ct);
        return fixture;
    }

    public async Task StartAsync(Func<ScorerOptions, ScorerOptions>? change = null)
    {
        Worker = NewWorker(change);
        _stop = new CancellationTokenSource();
        _run = Worker.RunAsync(_stop.Token);
        await await Task.WhenAny(_run, Worker.Started);
    }

    /// <summary>A further instance of the same group, for the caller to run.</summary>
    public ScorerWorker NewWorker(Func<ScorerOptions, ScorerOptions>? change = null)
    {
        var options = new ScorerOptions
        {
            BootstrapServers = _servers.Kafka, Topics = Topics, GroupId = _group, Debounce = TimeSpan.FromMilliseconds(50), Seen = SeenPolicy.Exclude,
            CommitInterval = TimeSpan.FromMilliseconds(100), SessionTimeout = TimeSpan.FromSeconds(6),
        };
        return new ScorerWorker(change?.Invoke(options) ?? options, Postgres, Redis, Registry, EventTypes.Default, Loggers);
    }

    public async Task StopAsync()
    {
        if (_stop is null)
            return;
        await _stop.CancelAsync();
        await _run;
        Worker.Dispose();
        _stop.Dispose();
        _stop = null;
    }

    public Task InteractAsync(string eventId, string user, string item, long timeMs, string type = "like", params (string Name, string Value)[] headers) =>
        SendAsync(
            Topics.Interactions, user,
            $$"""{"event_id":"{{eventId}}","user_id":"{{user}}","item_id":"{{item}}","type":"{{type}}","time":{{timeMs}}}""",
            headers);

    public Task ItemAsync(string item, bool available, params string[] categories) =>
        SendAsync(
            Topics.Items, item,
            Encoding.UTF8.GetString(Json.Encode(
                new ItemRecord { ItemId = item, Title = "title of " + item, Available = available, Categories = categories })));

    public Task RequestAsync(RecommendationRequest request) =>
        SendAsync(Topics.Requests, request.UserId ?? request.RequestId, Encoding.UTF8.GetString(Json.Encode(request)));

    public async Task<DeliveryResult<string?, string?>> SendAsync(string topic, string? key, string? value, params (string Name, string Value)[] headers)
    {
        var message = new Message<string?, string?> { Key = key, Value = value, Headers = [] };
        foreach (var (name, text) in headers)
            message.Headers.Add(name, Encoding.UTF8.GetBytes(text));
        return await _producer.ProduceAsync(topic, message, Ct);
    }

    /// <summary>Reads lists until one satisfies the condition; older ones count too.</summary>
    public RecommendationList UntilList(string what, Func<RecommendationList, bool> condition)
    {
        var known = Lists.FirstOrDefault(l => l.List is not null && condition(l.List));
        return known.List ?? Until(what, (_, list) => list is not null && condition(list)).List!;
    }

    public (string? Key, RecommendationList? List, Headers Headers) Until(string what, Func<string?, RecommendationList?, bool> condition)
    {
        var end = Environment.TickCount64 + 30_000;
        while (Environment.TickCount64 < end)
        {
            Ct.ThrowIfCancellationRequested();
            if (_run.IsFaulted)
                _run.GetAwaiter().GetResult();
            if (_lists.Consume(TimeSpan.FromMilliseconds(50)) is not { } record)
                continue;
            RecommendationList? list = null;
            if (record.Message.Value is { } json)
                Assert.True(Json.TryDecode(json, out list, out _, out var detail), detail);
            Lists.Add((record.Message.Key, list, record.Message.Headers));
            if (condition(record.Message.Key, list))
                return Lists[^1];
        }

        throw new TimeoutException(
            $"30 s passed and not yet: {what}; "
            + $"read {Lists.Count} lists, scorer: {Worker.Stats.Applied} applied, {Worker.Stats.Lists} lists, {_run.Status}");
    }

    /// <summary>Waits for something the scorer counts.</summary>
    public async Task UntilAsync(string what, Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        var end = Environment.TickCount64 + 30_000;
        while (!condition())
        {
            if (_run.IsFaulted)
                await _run;
            var stats = Worker.Stats;
            Assert.True(
                Environment.TickCount64 < end,
                $"30 s passed and not yet: {what}; "
                + $"{stats.Applied} applied, {stats.Scored} scored, {stats.Duplicates} duplicates, {stats.Lists} lists, lag {stats.Lag}");
            await timer.WaitForNextTickAsync(Ct);
        }
    }

    public ConsumeResult<string?, byte[]?> FirstOf(string topic, string what)
    {
        using var reader = Reader(topic);
        var end = Environment.TickCount64 + 30_000;
        while (Environment.TickCount64 < end)
        {
            if (reader.Consume(TimeSpan.FromMilliseconds(50)) is { } record)
                return record;
        }

        throw new TimeoutException($"30 s passed and not yet: {what}");
    }

    /// <summary>Fits an item-item model on (user, item) pairs, writes and registers it, and makes it champion.</summary>
    public async Task<long> PromoteModelAsync(params (string User, string Item)[] events)
    {
        string[] items = [.. events.Select(e => e.Item).Distinct()], users = [.. events.Select(e => e.User).Distinct()];
        var config = new ModelConfig { Channels = [ChannelNames.ItemKnn, ChannelNames.Popularity], ItemKnn = new ItemKnnConfig { Shrink = 0.1f } };
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>();
        var fit = new FitEvents(
            [.. events.Select(e => Array.IndexOf(users, e.User))], [.. events.Select(e => Array.IndexOf(items, e.Item))],
            [.. events.Select(_ => EventTypes.Default.Find("like")!.Code)], users.Length, items.Length);
        ChannelFit.Fit(config, fit, tensors, 1, Ct);
        var version = await Registry.NextVersionAsync(Ct);
        var manifest = new ModelManifest
        {
            Name = "streamrec", Version = version, CreatedAt = DateTimeOffset.UtcNow, Config = config,
            Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, events.Length, new Dictionary<string, long>()),
        };
        Directory.CreateDirectory(_artifacts);
        var path = ModelArtifact.DirectoryOf(_artifacts, version);
        await Registry.RegisterAsync(new ModelArtifact(manifest, items, tensors).Write(path), path, ModelStatus.Candidate, "test", Ct);
        await Registry.PromoteAsync(version, "test", Ct);
        return version;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _producer.Dispose();
        _lists.Close();
        _lists.Dispose();
        _redis.Dispose();
        if (Directory.Exists(_artifacts))
            Directory.Delete(_artifacts, recursive: true);
    }

    private IConsumer<string?, byte[]?> Reader(string topic)
    {
        var reader = new ConsumerBuilder<string?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = _servers.Kafka, GroupId = "reader-" + Guid.NewGuid(), AutoOffsetReset = AutoOffsetReset.Earliest, EnableAutoCommit = false,
        }).SetKeyDeserializer(new NullableKey()).SetLogHandler((_, _) => { }).Build();
        var partitions = Topics.All.Single(t => t.Name == topic).Partitions;
        reader.Assign(Enumerable.Range(0, partitions).Select(p => new TopicPartitionOffset(topic, p, Offset.Beginning)));
        return reader;
    }

    private sealed class NullableText : ISerializer<string?>
    {
        public byte[] Serialize(string? data, SerializationContext context) => data is null ? null! : Encoding.UTF8.GetBytes(data);
    }

    private sealed class NullableKey : IDeserializer<string?>
    {
        public string? Deserialize(ReadOnlySpan<byte> data, bool isNull, SerializationContext context) => isNull ? null : Encoding.UTF8.GetString(data);
    }

    private sealed class TestOutputLogs : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            TestContext.Current.TestOutputHelper?.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel} {formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
