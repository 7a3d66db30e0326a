using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StreamRec.Bench;
using StreamRec.Sources;

namespace StreamRec.Commands;

/// <summary><c>bench graph|ingest|text|train|all</c>: numbers beside their physical limit, measured in the same run.</summary>
internal static class BenchCommand
{
    private static readonly Option<FileInfo?> Report = new("--report") { Description = "Also write the results as JSON." };
    private static readonly Option<int> Events =
        new("--events") { Description = "With ingest: events of the largest round.", DefaultValueFactory = _ => 2_000_000 };
    private static readonly Option<int> Edges = new("--edges")
    {
        Description = "With ingest: interactions a live graph is started from; 0 leaves that out.",
        DefaultValueFactory = _ => 10_000_000,
    };
    private static readonly Option<string> Dataset =
        new("--dataset") { Description = "With train: ml-100k or online-retail.", DefaultValueFactory = _ => "ml-100k" };
    private static readonly Option<string?> Data = new("--data") { Description = "With train: the dataset's folder; needed for it." };
    private static readonly Option<string?> GraphPeer = new("--graph-peer") { Description = "With train: the same for graph attention over the whole graph." };
    private static readonly Option<string?> Peer = new("--peer")
    {
        Description = "With text and train: a shell command that does the same work and prints "
            + "{\"tokens_per_s\": …} or {\"examples_per_s\": …}; run in turn with ours.",
    };

    public static Command Create()
    {
        var what = new Argument<string>("what") { Description = "What to measure.", DefaultValueFactory = _ => "all" };
        what.AcceptOnlyFromAmong("graph", "ingest", "text", "train", "all");
        var command = new Command("bench", "Measure parts of the system beside what the machine can do.")
        {
            what, Report, Events, Edges, Dataset, Data, Peer, GraphPeer,
        };
        command.SetAction(async (parsed, ct) =>
        {
            List<BenchResult> results = [];
            await AnsiConsole.Status().StartAsync("measuring", status => MeasureAsync(parsed, parsed.GetValue(what)!, new BenchLog(
                step => status.Status(Markup.Escape(step)),
                result =>
                {
                    results.Add(result);
                    var limit = result.LimitValue is null ? "" : $"; limit {Number(result.LimitValue)}, ratio {Number(result.Ratio)}";
                    AnsiConsole.MarkupLineInterpolated(
                        CultureInfo.InvariantCulture,
                        $"[bold]{result.Name}  {Number(result.Value)}[/] {result.Unit}{limit}\n  [dim]{result.How}[/]");
                    if (parsed.GetValue(Report) is { } file)
                        BenchReport.Write(file.FullName, results);
                }), ct));
            return 0;
        });
        return command;
    }

    private static async Task MeasureAsync(ParseResult parsed, string what, BenchLog log, CancellationToken ct)
    {
        var settings = CommandContext.Settings(parsed);
        var threads = settings.Trainer.Threads;
        if (what is "graph" or "all")
            await Task.Run(() => new GraphBench(log).Run(ct), ct);
        if (what is "ingest" or "all")
            await Task.Run(() => new IngestBench(log, settings.Ingest).RunAsync(parsed.GetValue(Events), parsed.GetValue(Edges), ct), ct);
        if (what is "text" or "all")
            await Task.Run(() => new TextBench(log, parsed.GetValue(Peer)).Run(threads, ct), ct);
        if (what is "train" && parsed.GetValue(Data) is null)
            throw new SettingsException("bench train needs --data, the folder of the dataset");
        if (what is "train" or "all" && parsed.GetValue(Data) is { } data)
        {
            var snapshot = EvaluationData.Open(parsed.GetValue(Dataset)!, data).Snapshot with { Attributes = null };
            await Task.Run(() => new TrainBench(snapshot, log, parsed.GetValue(Peer), parsed.GetValue(GraphPeer)).Run(threads, ct), ct);
            await Task.Run(() => new CatalogueBench(log).Run(ct), ct);
        }
    }

    private static string Number(double? value) => value is { } v ? v.ToString(v >= 1000 ? "N0" : "0.###", CultureInfo.InvariantCulture) : "–";
}
