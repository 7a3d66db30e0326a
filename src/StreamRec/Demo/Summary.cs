using Spectre.Console;
using Spectre.Console.Rendering;
using StreamRec.Model;
using StreamRec.Scorer;
using static StreamRec.Demo.Glyphs;

namespace StreamRec.Demo;

/// <summary>What a demo ends with: what went in, what became of it, what was learned, how good and how fast the lists were.</summary>
internal static class Summary
{
    private const int PlainWidth = 160;

    /// <summary>Prints it: in colour and as wide as the terminal, plain and wide enough where there is none.</summary>
    public static void Print(DemoResult result)
    {
        var redirected = System.Console.IsOutputRedirected;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect, ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (redirected)
            console.Profile.Width = PlainWidth;
        console.Write(Build(result));
    }

    public static IRenderable Build(DemoResult r) => new Rows(
        new Rule(
            $"[bold {Accent}]StreamRec demo[/] [{Label}]{r.Dataset.EscapeMarkup()} at {r.Speed.EscapeMarkup()}, {Clock(r.Wall)} in all[/]")
        {
            Justification = Justify.Left,
            Style = Style.Parse("grey37"),
        },
        Accounts(r), Models(r), Accuracy(r), Lists(r), Verdict(r));

    private static Rows Accounts(DemoResult r)
    {
        var table = Start("events", ">counted", ">in the input", "");
        Row(table, "produced", r.Outcome.Produced, r.OthersEvents == 0 ? r.Expected.Produced : null);
        if (r.OthersEvents != 0)
            table.AddRow($"[{Label}]of these by other producers[/]", Count(r.OthersEvents));
        Row(table, "applied to the graph", r.Outcome.Applied, r.Expected.Applied);
        Row(table, "duplicates, not applied again", r.Outcome.Duplicates, r.Expected.Duplicates);
        foreach (var reason in r.Outcome.DeadLetters.Keys.Union(r.Expected.DeadLetters.Keys).Order(StringComparer.Ordinal))
        {
            Row(
                table,
                $"dead letters: {reason.EscapeMarkup()}",
                r.Outcome.DeadLetters.GetValueOrDefault(reason),
                r.Expected.DeadLetters.GetValueOrDefault(reason));
        }
        table.AddRow(
            $"[{Label}]graph digest[/]",
            r.Outcome.Digest,
            r.Interrupted ? "" : r.Expected.Digest,
            r.Interrupted ? "" : Mark(r.Outcome.Digest == r.Expected.Digest));
        return Under(table, $"{Count(r.Graph.Users)} users, {Count(r.Graph.Items)} items, {Count(r.Graph.Edges)} edges in the graph");

        void Row(Table to, string name, long counted, long? wanted) => to.AddRow(
            new Markup($"[{Label}]{name}[/]"), new Markup(Count(counted)), new Markup(wanted is null || r.Interrupted ? "" : Count(wanted.Value)),
            new Markup(wanted is null || r.Interrupted ? "" : Mark(counted == wanted)));
    }

    private static Table Models(DemoResult r)
    {
        var table = Start("training run", "why", ">took", ">HR@10", ">NDCG@10", "on the holdout; became");
        foreach (var run in r.Runs)
        {
            var model = r.Models.FirstOrDefault(m => m.Version == run.Version);
            var metrics = model?.Metrics ?? run.Metrics;
            var took = run is { StartedAt: { } start, EndedAt: { } end } ? Clock(end - start) : "";
            table.AddRow(
                new Markup(run.Version is { } v ? $"[bold {Training}]v{v}[/]" : "–"),
                new Markup($"[{Label}]{run.Reason.EscapeMarkup()}[/]"),
                new Markup(took),
                Metric(metrics, "hr_10"), Metric(metrics, "ndcg_10"),
                new Markup(
                    model?.Status == ModelStatus.Champion
                        ? $"[{Served}]champion[/]"
                        : $"{model?.Status ?? run.Status}{(run.Error is { Length: > 0 } e ? $" [{Dim}]{Cut(e, 44)}[/]" : "")}"));
        }

        if (r.Runs.Count == 0)
            table.AddRow($"[{Dim}]none[/]");
        return table;

        static Markup Metric(IReadOnlyDictionary<string, double> metrics, string name) =>
            new Markup(metrics.TryGetValue(name, out var value) ? Glyphs.Metric(value) : "–");
    }

    private static Rows Accuracy(DemoResult r)
    {
        var table = Start("next-event accuracy", ">events", ">HR@10", ">HR@20", ">NDCG@10", ">MRR@20", ">popularity HR@10", ">gain");
        foreach (var m in r.Prequential.ByModel)
            Row(m.Version == 0 ? $"[{Label}]lists before any model[/]" : $"[{Label}]lists by model[/] [{Training}]v{m.Version}[/]", m.Served, m.Popularity);
        if (r.AfterFirstModel is { } after)
            Row("[bold]after the first promotion[/]", after.Served, after.Popularity);
        Row("[bold]all[/]", r.Prequential.Served, r.Prequential.Popularity);
        var outside = $"seen from outside: HR@10 {Glyphs.Metric(r.Outside.Hr10)} on {Count(r.Outside.Events)} events";
        foreach (var (v, which) in new[] { (r.Outside.Chosen, "people chose"), (r.Outside.ByModel, "held against a model's list") })
        {
            if (v.N > 0)
            {
                outside += $"\nof the {Count(v.N)} events {which}: HR@10 {Glyphs.Metric(v.Hr10)}, achievable {Glyphs.Metric(v.AchievableHr10)}"
                    + $" (who knew the law had {Glyphs.Metric(v.OracleHr10)}): {v.Share * 100:0} % of it reached";
            }
        }

        return Under(table, outside);

        void Row(string name, PrequentialMetrics served, PrequentialMetrics popularity) => table.AddRow(
            new Markup(name), Right(Count(served.N)), Right($"[{Served}]{Glyphs.Metric(served.Hr10)}[/]"),
            Right(Glyphs.Metric(served.Hr20)), Right(Glyphs.Metric(served.Ndcg10)),
            Right(Glyphs.Metric(served.Mrr20)),
            Right($"[{Popularity}]{Glyphs.Metric(popularity.Hr10)}[/]"),
            Right(popularity.Hr10 > 0 ? $"{served.Hr10 / popularity.Hr10:0.0} ×" : "–"));

        static Markup Right(string text) => new Markup(text);
    }

    private static Rows Lists(DemoResult r)
    {
        var table = Start("lists", ">count", ">p50", ">p95", ">p99");
        Row("event → list", r.EventToList.Count, r.EventToList);
        Row($"request → list ({Count(r.RequestsAnswered)} of {Count(r.RequestsAsked)} answered)", r.RequestToList.Count, r.RequestToList);
        return Under(
            table,
            $"{Count(r.ListsInTopic)} lists on the topic, an outside consumer read {Count(r.ListsSeenOutside)}; "
            + $"{Rate(r.IngestPerSecond)} events/s and {Rate(r.ListsPerSecond)} lists/s "
            + $"over {Clock(r.Busy)}"
            + (r.IdleForTraining > TimeSpan.FromSeconds(1) ? $", and {Clock(r.IdleForTraining)} idle until a training run was done" : ""));

        void Row(string name, long count, Contracts.LatencySummary l) => table.AddRow(
            new Markup($"[{Label}]{name}[/]"), new Markup(Count(count)), new Markup(Milliseconds(l.P50)),
            new Markup(Milliseconds(l.P95)), new Markup(Milliseconds(l.P99)));
    }

    private static Rows Verdict(DemoResult r)
    {
        if (r.Interrupted)
            return new Rows(new Markup($"[{Popularity}]■[/] interrupted: these are the numbers so far; what was on its way is not in them"));
        if (r.Faults.Count == 0)
        {
            return new Rows(new Markup(
                $"[bold {Served}]✓ every event is accounted for: "
                + $"{Count(r.Outcome.Produced)} produced = {Count(r.Outcome.Applied)} applied + "
                + $"{Count(r.Outcome.Duplicates)} duplicates + {Count(r.Outcome.DeadLetterTotal)} dead letters[/]"));
        }
        return new Rows(r.Faults.Select(f => new Markup($"[bold {Bad}]✗ {f.EscapeMarkup()}[/]")));
    }

    private static string Mark(bool ok) => ok ? $"[{Served}]✓[/]" : $"[{Bad}]✗[/]";

    private static Rows Under(Table table, string text) => new(table, new Padder(new Markup($"[{Dim}]{text.EscapeMarkup()}[/]"), new Padding(2, 0, 0, 1)));

    /// <summary>An empty table; a heading that starts with > stands over numbers and is set to the right.</summary>
    private static Table Start(params string[] columns)
    {
        var table = new Table { Border = TableBorder.Simple, BorderStyle = Style.Parse("grey37"), Expand = false };
        foreach (var column in columns)
        {
            var heading = new TableColumn($"[{Dim}]{column.TrimStart('>')}[/]") { NoWrap = true };
            table.AddColumn(column.StartsWith('>') ? heading.RightAligned() : heading);
        }

        return table;
    }
}
