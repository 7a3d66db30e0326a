using System.CommandLine;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Local;

namespace StreamRec.Commands;

/// <summary><c>up</c>, <c>down</c>, <c>status</c>, <c>doctor</c>: private servers that outlive the command, for running roles by hand.</summary>
internal static class ServersCommands
{
    private const string Foreground = "--foreground";
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(60);

    public static IEnumerable<Command> Create() => [Up(), Down(), Status(), DoctorCommand.Create()];

    private static Command Up()
    {
        var keep = new Option<bool>("--keep")
        {
            Description = "Keep Postgres' and Kafka's data for the next 'up --keep'. Needs a real Kafka, because Postgres holds its offsets.",
        };
        var foreground = new Option<bool>(Foreground) { Description = "Stay in the foreground until Ctrl-C." };
        var command = new Command("up", "Start private Postgres, Redis and Kafka in the background, with all topics, and print their addresses.")
        {
            keep, foreground, CommandContext.Json,
        };
        command.SetAction((parsed, ct) => parsed.GetValue(foreground)
            ? OwnAsync(CommandContext.Settings(parsed), parsed.GetValue(keep), parsed.GetValue(CommandContext.Json), ct)
            : DetachAsync(parsed.GetValue(keep), parsed.GetValue(CommandContext.Config), parsed.GetValue(CommandContext.Json), ct));
        return command;
    }

    private static Command Down()
    {
        var command = new Command("down", "Stop the servers that 'up' started.");
        command.SetAction(async (_, ct) =>
        {
            RunningServers? running = RunningServers.Find();
            using var loggers = CommandContext.Loggers(LogLevel.Warning);
            if (running is null)
            {
                await LocalServers.CleanUpAsync(LocalPaths.RunFolder, loggers.CreateLogger("StreamRec.Local"), ct);
                System.Console.WriteLine("no servers of 'up' are running");
                return 0;
            }

            if (!CommandLine(running.OwnerPid).Contains(Foreground, StringComparison.Ordinal))
                return CommandContext.Fail($"the servers belong to process {running.OwnerPid} ('{CommandLine(running.OwnerPid)}'); they stop with it");
            if (!await DetachedProcess.EndAsync(running.OwnerPid, Foreground, StopLimit, ct))
                return CommandContext.Fail($"process {running.OwnerPid} still runs after {StopLimit.TotalSeconds:F0} s; its log is {LogFile}");
            System.Console.WriteLine("stopped");
            return 0;
        });
        return command;
    }

    private static Command Status()
    {
        var command = new Command("status", "Show the servers that run now. Exit code 3 if there are none.") { CommandContext.Json };
        command.SetAction(parsed =>
        {
            RunningServers? running = RunningServers.Find();
            if (parsed.GetValue(CommandContext.Json))
                CommandContext.PrintJson(new { running = running is not null, servers = running });
            else if (running is not null)
                Print(running);
            else
                System.Console.WriteLine("no servers are running; start them with: ./streamrec up");
            return running is null ? 3 : 0;
        });
        return command;
    }

    private static string LogFile => Path.Combine(LocalPaths.Root, ".streamrec", "up.log");

    /// <summary>The background part: owns the servers until it is told to stop.</summary>
    private static async Task<int> OwnAsync(Settings settings, bool keep, bool json, CancellationToken ct)
    {
        using var loggers = CommandContext.Loggers();
        await using LocalServers servers = await LocalServers.StartAsync(new LocalServersOptions
        {
            // Two folders, so that an 'up' without --keep never removes what is to be kept.
            Root = Path.Combine(LocalPaths.RunFolder, keep ? "up-kept" : "up"),
            KeepData = keep,
            Kafka = keep ? KafkaChoice.Real : KafkaChoice.Auto,
            Log = loggers.CreateLogger("StreamRec.Local"),
        }, ct);
        await servers.CreateTopicsAsync(LocalTopics.Of(settings.Topics), ct);
        using IDisposable announcement = RunningServers.Announce(servers);
        if (json)
            CommandContext.PrintJson(RunningServers.Find());
        else
            Print(RunningServers.Find()!);
        try
        {
            await Task.Delay(Timeout.Infinite, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Asked to stop: leaving this method stops the servers.
        }

        return 0;
    }

    private static async Task<int> DetachAsync(bool keep, string? config, bool json, CancellationToken ct)
    {
        if (RunningServers.Find() is not { } running)
        {
            File.Delete(LogFile);
            string[] self = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
                ? [Environment.ProcessPath!, typeof(ServersCommands).Assembly.Location]
                : [Environment.ProcessPath!];
            using Process owner = DetachedProcess.Start(
                [.. self, "up", Foreground, .. keep ? ["--keep"] : Array.Empty<string>(), .. config is null ? [] : (string[])["--config", config]], LogFile);
            if (await AnnouncedAsync(owner, ct) is not { } announced)
                return CommandContext.Fail($"the servers did not start:\n{await File.ReadAllTextAsync(LogFile, ct)}");
            running = announced;
        }

        if (json)
            CommandContext.PrintJson(running);
        else
            Print(running);
        return 0;
    }

    private static async Task<RunningServers?> AnnouncedAsync(Process owner, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!owner.HasExited)
        {
            if (RunningServers.Find() is { } running)
                return running;
            await timer.WaitForNextTickAsync(ct);
        }

        return null;
    }

    private static void Print(RunningServers running)
    {
        System.Console.WriteLine($"Kafka     {running.KafkaBootstrap}  ({running.KafkaKind})");
        System.Console.WriteLine($"Postgres  {running.PostgresConnectionString}");
        System.Console.WriteLine($"Redis     {running.RedisConnectionString}");
        System.Console.WriteLine($"owner     process {running.OwnerPid}; stop with: ./streamrec down");
        System.Console.WriteLine("StreamRec's verbs find these by themselves. For other programs:");
        System.Console.WriteLine($"export {LocalServers.KafkaVariable}='{running.KafkaBootstrap}'");
        System.Console.WriteLine($"export {LocalServers.PostgresVariable}='{running.PostgresConnectionString}'");
        System.Console.WriteLine($"export {LocalServers.RedisVariable}='{running.RedisConnectionString}'");
    }

    private static string CommandLine(int pid)
    {
        string file = $"/proc/{pid}/cmdline";
        return File.Exists(file) ? File.ReadAllText(file).Replace('\0', ' ').Trim() : "";
    }
}
