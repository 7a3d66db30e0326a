using Spectre.Console;
using Spectre.Console.Rendering;
using StreamRec.Contracts;
using static StreamRec.Demo.Glyphs;

namespace StreamRec.Demo;

/// <summary>The row of counters: events in, the graph, lists out, what was set aside.</summary>
internal static class CounterPanels
{
    public static Panel Events(DemoSnapshot s, int width) => DemoView.Box("events in", new Rows(
        new Markup($"[bold {Accent}]{Rate(Last(s.SentPerSecond)),7}[/] [{Label}]sent/s[/]   [bold]{Rate(Last(s.AppliedPerSecond))}[/] [{Label}]applied/s[/]"),
        new Markup(Sparkline(s.SentPerSecond, width, Accent)),
        Pairs(("applied", Count(s.Applied)), ("duplicates", Count(s.Duplicates))),
        Pairs(("lag: ingest", Lag(s.IngestLag)), ("scorer", Lag(s.ScorerLag))),
        new Markup($"[{Dim}]lag counts messages not taken yet[/]")));

    public static Panel Graph(DemoSnapshot s) => DemoView.Box("graph", Table(
        ("users", Count(s.Graph.Users)), ("items", Count(s.Graph.Items)), ("interactions", Count(s.Graph.Interactions)), ("edges", Count(s.Graph.Edges)),
        ("edges per user", s.Graph.Users == 0 ? "–" : Rate(s.Graph.Edges / (double)s.Graph.Users))));

    public static Panel Lists(DemoSnapshot s, int width) => DemoView.Box("lists out", new Rows(
        new Markup(
            $"[bold {Served}]{Rate(Last(s.ListsPerSecond)),7}[/] [{Label}]lists/s[/]   [bold]{Count(s.Lists)}[/] [{Label}]by[/] {Version(s.ServingVersion)}")
        {
            Overflow = Overflow.Ellipsis,
        },
        new Markup(Sparkline(s.ListsPerSecond, width, Served)),
        Latency("event → list", s.EventToList),
        Latency("request → list", s.RequestToList),
        new Markup($"[{Dim}]an outside consumer has read {Count(s.ListsSeenOutside)}[/]")));

    public static Panel DeadLetters(DemoSnapshot s, int width)
    {
        var total = s.DeadLetters.Values.Sum();
        if (total == 0)
            return DemoView.Box("dead letters", new Markup($"[{Served}]✓[/] [{Label}]none[/]"));
        var rows = s.DeadLetters.Where(d => d.Value > 0).OrderByDescending(d => d.Value).ThenBy(d => d.Key, StringComparer.Ordinal).ToList();
        var most = rows[0].Value;
        var bar = Math.Max(4, width - 24);
        var lines = new List<IRenderable>();
        foreach (var (reason, count) in rows.Take(rows.Count > 6 ? 5 : 6))
            lines.Add(new Markup($"[{Label}]{Cut(reason, 14),-14}[/] {Count(count),8} [{Bad}]{new string('▪', Math.Max(1, (int)(bar * count / most)))}[/]"));
        if (rows.Count > 6)
            lines.Add(new Markup($"[{Dim}]and {rows.Count - 5} more reasons {Count(rows.Skip(5).Sum(r => r.Value))}[/]"));
        return DemoView.Box($"dead letters: {Count(total)}", new Rows(lines));
    }

    public static string Version(long version) => version == 0 ? $"[{Dim}]no model yet[/]" : $"[bold {Training}]v{version}[/]";

    private static double Last(IReadOnlyList<double> values) => values.Count == 0 ? 0 : values[^1];

    private static string Lag(long lag) => lag == 0 ? $"[{Served}]0[/]" : $"[{Popularity}]{Count(lag)}[/]";

    private static Markup Latency(string what, LatencySummary latency) => latency.Count == 0
        ? new Markup($"[{Label}]{what,-14}[/] [{Dim}]–[/]")
        : new Markup($"[{Label}]{what,-14}[/] p50 [bold]{Milliseconds(latency.P50)}[/]  p99 [bold]{Milliseconds(latency.P99)}[/]");

    private static Markup Pairs(params (string Name, string Value)[] pairs) =>
        new(string.Join("   ", pairs.Select(p => $"[{Label}]{p.Name}[/] [bold]{p.Value}[/]"))) { Overflow = Overflow.Ellipsis };

    private static Grid Table(params (string Name, string Value)[] pairs)
    {
        var grid = new Grid { Expand = true }.AddColumn(new GridColumn().NoWrap().PadRight(1)).AddColumn(new GridColumn().RightAligned().NoWrap());
        foreach (var (name, value) in pairs)
            grid.AddRow(new Markup($"[{Label}]{name}[/]"), new Markup($"[bold]{value}[/]"));
        return grid;
    }
}
