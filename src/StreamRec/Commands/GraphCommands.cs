using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Trainer.Data;

namespace StreamRec.Commands;

/// <summary><c>graph digest|stats|rebuild-cache|export</c>.</summary>
internal static class GraphCommands
{
    public static Command Create() => new("graph", "The graph in Postgres and its view in Redis.") { Digest(), Stats(), RebuildCache(), Export() };

    private static Command Digest()
    {
        var command = new Command("digest", "Order-independent hash of all interactions: the same log gives the same digest.");
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (_, stores) =>
        {
            System.Console.WriteLine(await stores.Graph.DigestAsync(ct));
            return 0;
        }, ct));
        return command;
    }

    private static Command Stats()
    {
        var command = new Command("stats", "Users, items, interactions, edges, progress per partition and dead letters.") { CommandContext.Json };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (settings, stores) =>
        {
            var stats = await stores.Graph.StatsAsync(ct);
            var progress = await stores.Graph.ProgressAsync(settings.Topics.Interactions, ct);
            var deadLetters = await stores.Graph.DeadLetterCountsAsync(ct);
            if (parsed.GetValue(CommandContext.Json))
            {
                CommandContext.PrintJson(new { graph = stats, partitions = progress, dead_letters = deadLetters });
                return 0;
            }

            AnsiConsole.Write(new Table().AddColumns("users", "items", "interactions", "edges")
                .AddRow(Number(stats.Users), Number(stats.Items), Number(stats.Interactions), Number(stats.Edges)));
            var table = new Table().AddColumns("partition", "next offset", "applied", "duplicates", "lost");
            foreach (var p in progress)
                table.AddRow(Number(p.Partition), Number(p.NextOffset), Number(p.Applied), Number(p.Duplicates), Number(p.Lost));
            AnsiConsole.Write(table);
            foreach (var (reason, count) in deadLetters)
                System.Console.WriteLine($"dead letters, {reason}: {Number(count)}");
            return 0;
        }, ct));
        return command;
    }

    private static Command RebuildCache()
    {
        var command = new Command("rebuild-cache", "Rebuild the Redis view from Postgres. Serving goes on meanwhile.");
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (settings, stores) =>
        {
            long rows = 0;
            await AnsiConsole.Status().StartAsync("rebuilding the Redis view from Postgres",
                async _ => rows = await stores.Redis.RebuildAsync(stores.Graph, settings.Topics.Interactions, cancellation: ct));
            System.Console.WriteLine($"{Number(rows)} interactions written to Redis");
            return 0;
        }, ct));
        return command;
    }

    private static Command Export()
    {
        var output = new Option<string>("--out") { Description = "Folder to write into.", Required = true };
        var format = new Option<string>("--format")
        {
            Description = "npy: one NumPy array per column, ids and catalogue as JSON.",
            DefaultValueFactory = _ => "npy",
        };
        format.AcceptOnlyFromAmong("npy");
        var command = new Command("export", "Write the graph for a trainer outside; 'models import' takes back what it makes.") { output, format };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (settings, stores) =>
        {
            var snapshot = await stores.Graph.SnapshotAsync(null, ct);
            var split = TemporalSplit.Of(snapshot.Count, settings.Trainer.ValidShare, settings.Trainer.HoldoutShare);
            var folder = parsed.GetValue(output)!;
            var edges = GraphExport.Write(snapshot, EventTypes.Default, split.TrainEnd, split.ValidEnd, folder);
            System.Console.WriteLine(
                $"{Number(snapshot.Count)} events of {Number(snapshot.Users.Length)} users and {Number(snapshot.Items.Length)} items, "
                + $"{Number(edges)} edges before event {Number(split.TrainEnd)}: {folder}");
            return 0;
        }, ct));
        return command;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
