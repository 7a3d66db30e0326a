using System.CommandLine;
using Spectre.Console;
using StreamRec.Commands;
using StreamRec.Demo;
using StreamRec.Sources;

namespace StreamRec.Replay;

/// <summary><c>replay</c>: sends a data set to the configured broker, held back by the lag of those who read it.</summary>
internal static class ReplayCommand
{
    public static Command Create()
    {
        var inputs = new DemoCommand.InputOptions("simulate");
        var rates = new DemoCommand.RateOptions();
        var minutes = new Option<double?>("--minutes") { Description = "Stop sending after so many minutes." };
        var follow = new Option<string[]>("--follow")
        {
            Description = "Whose lag holds the replay back: ingest, scorer (both by default) or none.",
            DefaultValueFactory = _ => ["ingest", "scorer"],
            AllowMultipleArgumentsPerToken = true,
        };
        follow.AcceptOnlyFromAmong("ingest", "scorer", "none");
        var command = new Command("replay", "Send a data set to the broker of a running installation.") { minutes, follow };
        inputs.AddTo(command);
        rates.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            var settings = CommandContext.Settings(parsed).Resolved();
            var bootstrap = settings.Kafka.BootstrapServers
                ?? throw new SettingsException(
                    "kafka.bootstrapServers is not set, STREAMREC_KAFKA_BOOTSTRAP is not set, and no servers of 'streamrec up' are running");
            var (dataset, data, map, events, speed) = inputs.Read(parsed);
            var simulator = rates.Read(parsed);
            var source = EventSources.Open(dataset, data, map, events, events > 0 ? simulator with { Events = events } : simulator);
            foreach (var note in source.Notes)
                System.Console.Error.WriteLine(note);
            var followed = parsed.GetValue(follow)!;
            var options = new ReplayOptions
            {
                Speed = speed is null && dataset == "simulate" ? DemoOptions.SimulatedSpeed : ReplayOptions.ParseSpeed(speed ?? "max"),
                Duration = parsed.GetValue(minutes) is { } m ? TimeSpan.FromMinutes(m) : null,
                Followed = [.. Groups(followed, settings)],
                ItemsFollowed = followed.Contains("ingest") && !followed.Contains("none") ? ReplayOptions.CatalogueGroup(settings) : null,
            };
            using var loggers = CommandContext.Loggers();
            using var replayer = new Replayer(bootstrap, settings.Topics, options, loggers.CreateLogger("StreamRec.Replay"));
            await ShowAsync(replayer, source, ct);
            return 0;
        });
        return command;
    }

    private static IEnumerable<string> Groups(string[] followed, Settings settings)
    {
        if (followed.Contains("none"))
            yield break;
        if (followed.Contains("ingest"))
            yield return settings.Ingest.GroupId;
        if (followed.Contains("scorer"))
            yield return settings.Scorer.GroupId;
    }

    private static async Task ShowAsync(Replayer replayer, IEventSource source, CancellationToken ct)
    {
        // Spectre shows a bar on a terminal and a line now and then where there is none.
        await AnsiConsole.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async progress =>
            {
                var bar = progress.AddTask(source.Name, maxValue: Math.Max(1, source.Count));
                var sending = Run();
                using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
                while (!sending.IsCompleted && await timer.WaitForNextTickAsync(CancellationToken.None))
                {
                    bar.Value = replayer.Stats.Delivered;
                    bar.Description = $"{source.Name}: {Glyphs.Count(replayer.Stats.Delivered)} of {Glyphs.Count(source.Count)}{Held(replayer)}".EscapeMarkup();
                }

                await sending;
                bar.Value = bar.MaxValue;
            });
        System.Console.WriteLine($"{replayer.Stats.Delivered} interactions, {replayer.Stats.Items} items and {replayer.Stats.Users} users sent");

        async Task Run()
        {
            await replayer.RunAsync(source, ct);
            await replayer.DrainAsync(ct);
        }
    }

    private static string Held(Replayer replayer) =>
        replayer.Stats.Holding == Hold.None ? "" : $", held back ({string.Join(", ", replayer.Lags.Select(l => $"{l.Group} {Glyphs.Count(l.Lag)} behind"))})";
}
