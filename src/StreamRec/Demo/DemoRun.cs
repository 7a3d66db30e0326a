using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Local;
using StreamRec.Roles;
using StreamRec.Sources;

namespace StreamRec.Demo;

/// <summary>
/// One demo from nothing to the summary: private servers, every role in this process, a replay, outside clients that watch, and the
/// comparison of what came out with what went in.
/// </summary>
internal static class DemoRun
{
    private const int Interrupted = 130;

    /// <returns>0: everything is accounted for; 1: it is not; 130: interrupted.</returns>
    public static async Task<int> ExecuteAsync(DemoOptions options, Settings settings, CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        if (options.Report is not null)
            await File.WriteAllTextAsync(options.Report, "", ct); // a path that cannot be written is told now, not after the run
        using var file = new FileLog(Path.Combine(LocalPaths.Root, ".streamrec", "demo.log"));
        using var loggers = LoggerFactory.Create(logging => logging
            .AddProvider(file)
            .AddFilter("MassTransit", LogLevel.Warning)
            .AddFilter("Microsoft", LogLevel.Warning));
        Say(clock, $"reading {options.Dataset}{(options.Data is null ? "" : $" from {options.Data}")}");
        var source = await Task.Run(() => EventSources.Open(options.Dataset, options.Data, options.Map, options.Events, options.Simulator), ct);
        foreach (var note in source.Notes)
            Say(clock, note);
        Say(clock, $"starting Postgres, Redis and Kafka of our own; log in {file.Path}");
        await using var servers = await LocalServers.StartAsync(
            new LocalServersOptions { Root = LocalPaths.NewRunFolder("demo"), Log = loggers.CreateLogger("servers") },
            ct);
        await servers.CreateTopicsAsync([.. settings.Topics.All.Select(Topic)], ct);
        // For recommend, models, deadletters … from another terminal.
        using var announcement = RunningServers.Find() is null ? RunningServers.Announce(servers) : null;
        Say(clock, $"broker: {servers.KafkaKind} at {servers.KafkaBootstrap}; starting all roles");
        await using var host = await RoleHost.StartAsync(Adapted(settings, options, source.Count, servers), Roles(options), loggers, ct);
        Say(clock, options.NoConsole ? "roles run" : $"roles run; web console on {host.Url}");
        DemoResult result;
        using (var session = new DemoSession(options, source, servers, host, file, loggers, clock))
            result = await session.RunAsync(ct);
        Summary.Print(result);
        if (options.Report is { } report)
        {
            await File.WriteAllBytesAsync(report, DemoReport.Of(result).ToJson(), CancellationToken.None);
            System.Console.WriteLine($"report: {report}");
        }

        return result.Interrupted ? Interrupted : result.Faults.Count == 0 ? 0 : 1;
    }

    /// <summary>A line of the start-up, before there is a picture.</summary>
    private static void Say(Stopwatch clock, string text) => System.Console.WriteLine($"{Glyphs.Clock(clock.Elapsed),6}  {text}");

    private static LocalTopic Topic(TopicSpec t) => new(t.Name, t.Partitions, new Dictionary<string, string>
    {
        ["cleanup.policy"] = t.CleanupPolicy,
        ["retention.ms"] = t.Retention is { } keep ? ((long)keep.TotalMilliseconds).ToString(CultureInfo.InvariantCulture) : "-1",
    });

    private static RoleSet Roles(DemoOptions options) => options.NoConsole ? RoleSet.All & ~RoleSet.Console : RoleSet.All;

    /// <summary>The user's settings with this run's servers, and triggers that fit the length of a demo: about three runs within it.</summary>
    private static Settings Adapted(Settings settings, DemoOptions options, long events, LocalServers servers)
    {
        if (options is { Speed: { } speed, Duration: { } duration })
            events = Math.Min(events, (long)(speed * duration.TotalSeconds));
        return settings with
        {
            Kafka = settings.Kafka with { BootstrapServers = servers.KafkaBootstrap },
            Postgres = settings.Postgres with { ConnectionString = servers.PostgresConnectionString },
            Redis = settings.Redis with { ConnectionString = servers.RedisConnectionString },
            Http = settings.Http with { Url = "http://127.0.0.1:0" },
            Control = settings.Control with
            {
                // One more than a quarter: the end of the stream makes no run due that nobody would wait for.
                TrainAfterEvents = (events / 4) + 1, TrainEvery = TimeSpan.Zero, Poll = TimeSpan.FromMilliseconds(200),
            },
            // A full run of a demo is bounded: on a slow machine it learns for fewer epochs instead of holding the stream for minutes.
            Trainer = settings.Trainer with
            {
                ModelsDirectory = Path.Combine(servers.Root, "models"),
                MaxTrainSeconds = Math.Min(settings.Trainer.MaxTrainSeconds, 60),
            },
            // The replay follows the committed offsets; committing often lets it keep little outstanding, so that a list is soon made at full speed too.
            Ingest = settings.Ingest with { Kafka = new Dictionary<string, string>(settings.Ingest.Kafka) { ["auto.commit.interval.ms"] = "100" } },
            Scorer = settings.Scorer with { ArtifactRoot = Path.Combine(servers.Root, "models"), CommitInterval = TimeSpan.FromMilliseconds(100) },
            Text = settings.Text with { Folder = Path.Combine(LocalPaths.Root, ".streamrec", "text") },
        };
    }
}
