using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StreamRec.Console;
using StreamRec.Contracts;
using StreamRec.Contracts.Control;
using StreamRec.Control;
using StreamRec.Ingest;
using StreamRec.Scorer;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;

namespace StreamRec.Roles;

/// <summary>The roles of a process; each runs alone or together with the others, with the same code.</summary>
[Flags]
public enum RoleSet
{
    None = 0,
    Ingest = 1,
    Scorer = 2,
    Trainer = 4,
    Console = 8,
    All = Ingest | Scorer | Trainer | Console,
}

/// <summary>
/// One process: its stores, its roles, its control bus and its HTTP port. <see cref="StartAsync"/> returns when every role is ready;
/// <see cref="Completion"/> faults with the first role that fails; disposing drains and stops all of them.
/// </summary>
public sealed class RoleHost : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly WebApplication _app;
    private readonly Connections _connections;
    private readonly PrometheusMetrics _metrics;
    private readonly ModelAnnouncer? _announcer;

    private RoleHost(
        Settings settings, RoleSet roles, Connections connections, WebApplication app, PrometheusMetrics metrics, ReplayFrom? from, ILoggerFactory loggers)
    {
        (Settings, Roles, _connections, _app, _metrics) = (settings, roles, connections, app, metrics);
        var bus = app.Services.GetRequiredService<IBus>();
        if (roles.HasFlag(RoleSet.Ingest))
            Ingest = new IngestWorker(settings.Ingest, connections.Graph, connections.Redis, EventTypes.Default, loggers, from);
        if (roles.HasFlag(RoleSet.Scorer))
            Scorer = new ScorerWorker(settings.Scorer, connections.Graph, connections.Redis, connections.Registry, EventTypes.Default, loggers);
        if (roles.HasFlag(RoleSet.Trainer))
        {
            Trainer = new TrainerRole(NewTrainer(settings, connections, loggers).TrainAsync, connections.Registry, settings.Control, bus, TimeProvider.System,
                loggers.CreateLogger<TrainerRole>());
            Triggers = new Triggers(settings.Control, connections.Graph, connections.Registry, settings.Trainer.ModelName, settings.Topics.Interactions, bus,
                TimeProvider.System, loggers.CreateLogger<Triggers>());
            if (settings.Kafka.BootstrapServers is { } bootstrap)
                _announcer = new ModelAnnouncer(
                    connections.Registry, settings.Trainer.ModelName, bootstrap, settings.Topics.Models, settings.Control.Poll,
                    TimeProvider.System,
                    loggers.CreateLogger<ModelAnnouncer>());
        }
    }

    public Settings Settings { get; }
    public RoleSet Roles { get; }
    public Connections Stores => _connections;
    public IngestWorker? Ingest { get; }
    public ScorerWorker? Scorer { get; }
    public TrainerRole? Trainer { get; }
    public Triggers? Triggers { get; }
    public IBus Bus => _app.Services.GetRequiredService<IBus>();

    /// <summary>Newest progress message of a run, from whichever process trains; null before the first.</summary>
    public TrainingProgress? Progress { get; private set; }

    /// <summary>Where this process listens.</summary>
    public string Url => _app.Urls.First();

    /// <summary>Faults when a role fails; ends when the host is disposed.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Starts the roles.</summary>
    /// <param name="settings">Addresses and options.</param>
    /// <param name="roles">Which.</param>
    /// <param name="loggers">Where they log.</param>
    /// <param name="ct">Cancels the start.</param>
    /// <param name="from">
    /// Where ingest begins in a fresh schema; the start of the log where null. It then
    /// has a consumer group of its own, so that a running ingest keeps its partitions.
    /// </param>
    /// <exception cref="SettingsException">An address is missing or does not answer.</exception>
    public static async Task<RoleHost> StartAsync(Settings settings, RoleSet roles, ILoggerFactory loggers, CancellationToken ct, ReplayFrom? from = null)
    {
        if (from is not null)
            settings = settings with { Ingest = settings.Ingest with { GroupId = settings.Ingest.GroupId + "-replay" } };
        settings = settings.Resolved();
        if (settings.Kafka.BootstrapServers is null && roles != RoleSet.Console && roles != RoleSet.Trainer)
        {
            throw new SettingsException(
                "kafka.bootstrapServers is not set, STREAMREC_KAFKA_BOOTSTRAP is not set, and no servers of 'streamrec up' are running");
        }
        var connections = await Connections.OpenAsync(settings, loggers, ct);
        RoleHost? host = null;
        var metrics = new PrometheusMetrics();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(loggers);
        builder.Services.AddOpenApi();
        builder.WebHost.UseUrls(settings.Http.Url);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = ConsoleJson.Options.PropertyNamingPolicy);
        builder.Services.AddSingleton(_ => host!.Handlers());
        builder.Services.AddControlBus(settings.Control.RabbitMq);
        var app = builder.Build();
        host = new RoleHost(settings, roles, connections, app, metrics, from, loggers);
        try
        {
            await host.RunAsync(loggers.CreateLogger<RoleHost>(), ct);
            return host;
        }
        catch
        {
            await host.DisposeAsync(); // a role that did not start leaves no other one running
            throw;
        }
    }

    /// <summary>Numbers of the roles in this process.</summary>
    public LiveStatus? Live()
    {
        if (Ingest is null && Scorer is null)
            return null;
        var latency = Scorer?.Stats.EventToList;
        return new LiveStatus(
            Ingest?.Stats.PerSecond ?? 0, Ingest?.Stats.Lag ?? Scorer!.Stats.Lag, Ingest?.Stats.DeadLetterTotal ?? 0, Scorer?.Stats.Lists ?? 0,
            latency is { Count: > 0 } ? new LatencyStatus(latency.QuantileMs(0.5), latency.QuantileMs(0.99)) : null,
            [.. (Scorer?.Stats.Prequential.Windows ?? []).Select(w => new HitRatePoint(w.EventsEnd, w.Served.Hr10, w.Popularity.Hr10))]);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await Completion;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The roles were asked to stop.
        }
        finally
        {
            await _app.StopAsync(CancellationToken.None);
            await _app.DisposeAsync();
            Trainer?.Dispose();
            Scorer?.Dispose();
            _metrics.Dispose();
            await _connections.DisposeAsync();
            _stop.Dispose();
        }
    }

    private static TrainerWorker NewTrainer(Settings settings, Connections connections, ILoggerFactory loggers) =>
        new(settings.Trainer, connections.Graph, connections.Registry, EventTypes.Default, new TextEncoder(settings.Text).ForTraining, loggers);

    private ControlHandlers Handlers() => new()
    {
        TrainRequested = _ =>
        {
            Trainer?.Wake();
            return Task.CompletedTask;
        },
        TrainingProgress = progress =>
        {
            Progress = progress;
            return Task.CompletedTask;
        },
        ModelsChanged = () => Scorer?.PollModelsNow(),
        ScoringPaused = paused =>
        {
            if (Scorer is not null)
                Scorer.Paused = paused;
        },
    };

    private async Task RunAsync(ILogger logger, CancellationToken ct)
    {
        var services = ConsoleServicesOf();
        if (Roles.HasFlag(RoleSet.Console))
        {
            _app.MapConsole(services);
            _app.MapOpenApi();
        }
        else
        {
            _app.MapProbes(services);
        }

        await _app.StartAsync(ct);
        List<Task> running = [];
        if (Ingest is not null)
            running.Add(GuardAsync("ingest", Ingest.RunAsync(_stop.Token), logger));
        if (Scorer is not null)
            running.Add(GuardAsync("scorer", Scorer.RunAsync(_stop.Token), logger));
        if (Trainer is not null)
            running.Add(GuardAsync("trainer", Trainer.RunAsync(_stop.Token), logger));
        if (Triggers is not null)
            running.Add(GuardAsync("triggers", Triggers.RunAsync(_stop.Token), logger));
        if (_announcer is not null)
            running.Add(GuardAsync("model announcer", _announcer.RunAsync(_stop.Token), logger));
        Completion = Task.WhenAll(running);
        if (Scorer is not null)
            await await Task.WhenAny(Scorer.Started.WaitAsync(ct), Completion);
        Log.RolesStarted(logger, Roles.ToString(), Url);
    }

    /// <summary>The first role that fails stops the others: half a process is harder to see than none.</summary>
    private async Task GuardAsync(string role, Task work, ILogger logger)
    {
        try
        {
            await work;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
        catch (Exception e)
        {
            Log.RoleFailed(logger, e, role);
            await _stop.CancelAsync();
            throw;
        }
    }

    private ConsoleServices ConsoleServicesOf() => new()
    {
        Graph = _connections.Graph,
        Redis = _connections.Redis,
        Registry = _connections.Registry,
        Types = EventTypes.Default,
        Metrics = _metrics,
        ModelName = Settings.Trainer.ModelName,
        RequestTraining = (fineTune, by, ct) => StreamRec.Roles.Triggers.RequestAsync(_connections.Registry, Bus, "asked for", fineTune, by, ct),
        ChampionChanged = (from, to, by, ct) => Bus.Publish<ModelPromoted>(new(to, by), ct),
        Live = Live,
        Unhealthy = () => Completion.IsFaulted
            ? Completion.Exception!.InnerException!.Message
            : Ingest is { Stats.Healthy: false }
                ? Ingest.Stats.LastError ?? $"{Ingest.Stats.Lost} events were lost: the broker dropped them before they were read"
                : null,
    };
}
