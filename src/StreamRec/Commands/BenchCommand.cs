using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StreamRec.Bench;

namespace StreamRec.Commands;

/// <summary><c>bench graph|text|all</c>: numbers beside their physical limit, measured in the same run.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var what = new Argument<string>("what") { Description = "What to measure.", DefaultValueFactory = _ => "all" };
        what.AcceptOnlyFromAmong("graph", "text", "all");
        var report = new Option<FileInfo?>("--report") { Description = "Also write the results as JSON." };
        var peer = new Option<string?>("--peer") { Description = "With text: a shell command that does the same work and prints {\"tokens_per_s\": …}; run in turn with ours." };
        var command = new Command("bench", "Measure parts of the system beside what the machine can do.") { what, report, peer };
        command.SetAction(async (parsed, ct) =>
        {
            var settings = CommandContext.Settings(parsed);
            var chosen = parsed.GetValue(what)!;
            var results = new List<BenchResult>();
            await AnsiConsole.Status().StartAsync("measuring", status => Task.Run(
                () =>
                {
                    void Say(string step) => status.Status(Markup.Escape(step));
                    if (chosen is "graph" or "all")
                        results.AddRange(new GraphBench(Say).Run(ct));
                    if (chosen is "text" or "all")
                        results.AddRange(new TextBench(Say, parsed.GetValue(peer)).Run(settings.Trainer.Threads, ct));
                }, ct));
            var table = new Table().AddColumns("name", "value", "unit", "limit", "ratio", "how");
            foreach (var r in results)
                table.AddRow(r.Name, Number(r.Value), r.Unit, r.LimitValue is { } limit ? Number(limit) : "–", r.Ratio is { } ratio ? Number(ratio) : "–", Markup.Escape(r.How));
            AnsiConsole.Write(table);
            if (parsed.GetValue(report) is { } file)
                await BenchReport.WriteAsync(file.FullName, results, ct);
            return 0;
        });
        return command;
    }

    private static string Number(double value) => value.ToString(value >= 1000 ? "N0" : "0.###", CultureInfo.InvariantCulture);
}
