using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using StreamRec.Console;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.IntegrationTests;
using StreamRec.Model;

namespace StreamRec.ConsoleTests;

/// <summary>The console over a real Postgres and Redis with one user, two items, two models and one run in them.</summary>
internal sealed class ConsoleFixture : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConnectionMultiplexer _redis;

    private ConsoleFixture(WebApplication app, ConnectionMultiplexer redis, ModelRegistry registry)
    {
        (_app, _redis, Registry) = (app, redis, registry);
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public HttpClient Client { get; }
    public ModelRegistry Registry { get; }
    public string Url => _app.Urls.First();

    public static async Task<ConsoleFixture> StartAsync(Servers servers, string test, CancellationToken ct)
    {
        var source = await servers.NewSchemaAsync(test, ct);
        var redis = await ConnectionMultiplexer.ConnectAsync(servers.Redis);
        var graph = new PostgresGraph(source);
        await graph.MigrateAsync(ct);
        var view = new RedisGraph(redis, servers.NewRedisPrefix(test));
        var registry = new ModelRegistry(source);
        await SeedAsync(graph, view, registry, ct);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = ConsoleJson.Options.PropertyNamingPolicy);
        var app = builder.Build();
        app.MapConsole(new ConsoleServices
        {
            Graph = graph,
            Redis = view,
            Registry = registry,
            Types = EventTypes.Default,
            Metrics = new PrometheusMetrics(),
            ModelName = "streamrec",
            RequestTraining = async (fineTune, by, cancel) =>
            {
                var run = Guid.CreateVersion7();
                await registry.Runs.RequestAsync(run, "asked for", fineTune, by, cancel);
                return run;
            },
            ChampionChanged = (_, _, _, _) => Task.CompletedTask,
            Live = () => new LiveStatus(123, 4, 5, 6, new LatencyStatus(7, 8), [new(1000, 0.1, 0.05), new(2000, 0.2, 0.06)]),
        });
        await app.StartAsync(ct);
        return new ConsoleFixture(app, redis, registry);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        _redis.Dispose();
    }

    private static async Task SeedAsync(PostgresGraph graph, RedisGraph view, ModelRegistry registry, CancellationToken ct)
    {
        const string topic = "interactions";
        await graph.ClaimAsync(topic, 0, 0, ct);
        var batch = new InteractionBatch(topic, 0);
        batch.Reset(0);
        batch.Add(0, new Interaction(EventIds.Hash("e1"), "anna", "teapot", 5, 2, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
        await graph.ApplyAsync(batch, ct);
        await graph.ClaimAsync("items", 0, 0, ct);
        await graph.ItemsAsync(new("items", 0, 0, 1, [new("teapot", new ItemRecord { ItemId = "teapot", Title = "Brown Betty" })]), ct);
        var list =
            """{"trigger":"interactions","user_id":"anna","items":["""
            + """{"item_id":"cup","rank":1,"score":1.5,"channel":"gnn","reason":"because of teapot","evidence":["teapot"]}"""
            + """],"model_version":2,"variant":"champion","generated_at":"2026-11-22T00:00:00Z"}""";
        await view.SetLatestAsync("anna", System.Text.Encoding.UTF8.GetBytes(list));
        for (var i = 0; i < 2; i++)
        {
            var version = await registry.NextVersionAsync(ct);
            await registry.RegisterAsync(ManifestOf(version), "models/v" + version.ToString(CultureInfo.InvariantCulture), ModelStatus.Candidate, "test", ct);
            await registry.PromoteAsync(version, "test", ct);
        }
    }

    private static ModelManifest ManifestOf(long version) => new()
    {
        Name = "streamrec",
        Version = version,
        CreatedAt = DateTimeOffset.UtcNow,
        Config = new ModelConfig { Channels = ["popularity"] },
        Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UtcNow, 1, new Dictionary<string, long>()),
        Metrics = new Dictionary<string, double> { ["ndcg_10"] = 0.1234, ["hr_10"] = 0.25 },
        Digest = "0123456789abcdef",
    };
}
