using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StreamRec.Bench;

namespace StreamRec.Commands;

/// <summary><c>bench graph</c>: numbers beside their physical limit, measured in the same run.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var what = new Argument<string>("what") { Description = "What to measure.", DefaultValueFactory = _ => "all" };
        what.AcceptOnlyFromAmong("graph", "all");
        var report = new Option<FileInfo?>("--report") { Description = "Also write the results as JSON." };
        var command = new Command("bench", "Measure parts of the system beside what the machine can do.") { what, report };
        command.SetAction(async (parsed, ct) =>
        {
            IReadOnlyList<BenchResult> results = [];
            await AnsiConsole.Status().StartAsync("measuring", async status =>
                results = await Task.Run(() => new GraphBench(step => status.Status(Markup.Escape(step))).Run(ct), ct));
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
