using System.CommandLine;
using System.Globalization;
using Spectre.Console;

namespace StreamRec.Commands;

/// <summary><c>graph digest|stats|rebuild-cache</c>.</summary>
internal static class GraphCommands
{
    public static Command Create() => new("graph", "The graph in Postgres and its view in Redis.") { Digest(), Stats(), RebuildCache() };

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

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
