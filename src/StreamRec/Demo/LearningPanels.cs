using Spectre.Console;
using Spectre.Console.Rendering;
using StreamRec.Model;
using StreamRec.Scorer;
using static StreamRec.Demo.Glyphs;

namespace StreamRec.Demo;

/// <summary>What is being learned and what it is worth: training runs, and accuracy over time.</summary>
internal static class LearningPanels
{
    public static Panel Models(DemoSnapshot s, int width, int height)
    {
        if (s.Runs.Count == 0)
            return DemoView.Box("models", new Markup($"[{Dim}]no training run yet; until then lists are made of live counters and walks[/]"));
        var lines = new List<IRenderable> { new Markup($"[{Dim}]{"run",-7}{"why",-18}{"time",7}  {"HR@10",6} {"NDCG@10",8}   on the holdout[/]") };
        foreach (var run in s.Runs)
        {
            if (lines.Count + 2 > height)
                break;
            var model = s.Models.FirstOrDefault(m => m.Version == run.Version);
            lines.Add(new Markup(Line(run, model)) { Overflow = Overflow.Ellipsis });
            if (run.Status == RunStatus.Running)
            {
                lines.Add(new Markup(
                    $"       {Bar(run.Fraction, Math.Max(10, width - 40), Training)} "
                    + $"[bold]{run.Fraction * 100:0} %[/] [{Label}]{Cut(run.Stage, 22)}[/]"));
            }
            else if (run.Error is { Length: > 0 } error)
                lines.Add(new Markup($"       [{(run.Status == RunStatus.Failed ? Bad : Dim)}]{Cut(error, width - 8)}[/]"));
        }

        return DemoView.Box("models", new Rows(lines));
    }

    public static Panel Accuracy(DemoSnapshot s, int width, int height)
    {
        var report = s.Prequential;
        if (report.Windows.Count < 2)
        {
            return DemoView.Box(
                "hit rate at 10 on the next event",
                new Markup($"[{Dim}]each event is held against the list that stood before it; {Count(report.Served.N)} so far[/]"));
        }
        var windows = report.Windows;
        const int Axis = 5;
        var chart = new BrailleChart(Math.Max(10, width - Axis), Math.Max(3, height - 2));
        var top = Math.Max(0.02, Math.Max(windows.Max(w => w.Served.Hr10), windows.Max(w => w.Popularity.Hr10)) * 1.1);
        var events = (double)windows[^1].EventsEnd;
        var labels = "";
        var newest = windows[0].LastVersion;
        for (var i = 1; i < windows.Count; i++)
        {
            // Partitions change over one by one; a version is marked where its first list is tested.
            if (windows[i].LastVersion <= newest)
                continue;
            newest = windows[i].LastVersion;
            var x = windows[i - 1].EventsEnd / events;
            chart.Vertical(x, "mediumpurple4");
            var at = (int)(x * (width - Axis));
            if (at >= labels.Length)
                labels = labels.PadRight(at) + $"v{windows[i].LastVersion}";
        }

        chart.Line([.. windows.Select(w => (w.EventsEnd / events, w.Popularity.Hr10 / top))], Popularity);
        chart.Line([.. windows.Select(w => (w.EventsEnd / events, w.Served.Hr10 / top))], Served);
        var rows = chart.Lines().ToList();
        var lines = new List<IRenderable> { Legend(s), new Markup(new string(' ', Axis) + $"[{Training}]{Cut(labels, width - Axis)}[/]") };
        for (var row = 0; row < rows.Count; row++)
        {
            var mark = row == 0 || row == rows.Count - 1 || row == rows.Count / 2;
            var value = top * (1 - (row / (double)Math.Max(1, rows.Count - 1)));
            lines.Add(new Markup($"[{Dim}]{(mark ? Metric(value) : "    ")}[/] {rows[row]}"));
        }

        return DemoView.Box("hit rate at 10 on the next event", new Rows(lines));
    }

    private static Markup Legend(DemoSnapshot s)
    {
        var last = s.Prequential.Windows[^1];
        var achievable = s.Achievable is { } a ? $"   [{Label}]achievable {Metric(a)}[/]" : "";
        return new Markup(
            $"[{Served}]● served lists[/] [bold]{Metric(last.Served.Hr10)}[/]   [{Popularity}]● popularity[/] [bold]{Metric(last.Popularity.Hr10)}[/]"
            + $"   [{Dim}]now[/]   [{Label}]over all[/] {Metric(s.Prequential.Served.Hr10)} "
            + $"[{Label}]and[/] {Metric(s.Prequential.Popularity.Hr10)}{achievable}")
        {
            Overflow = Overflow.Ellipsis,
        };
    }

    private static string Line(TrainRun run, RegisteredModel? model)
    {
        var name = run.Version is { } version ? $"v{version}" : "–";
        var (mark, colour) = (run.Status, model?.Status) switch
        {
            (RunStatus.Running, _) => ("●", Training),
            (RunStatus.Requested, _) => ("○", Dim),
            (RunStatus.Failed, _) or (_, ModelStatus.Failed) => ("✗", Bad),
            (_, ModelStatus.Champion) => ("★", Served),
            (RunStatus.Rejected, _) or (_, ModelStatus.Rejected) or (RunStatus.Cancelled, _) => ("✗", Dim),
            _ => ("✓", Label),
        };
        var took = run.StartedAt is { } start ? Clock((run.EndedAt ?? DateTimeOffset.UtcNow) - start) : "";
        var metrics = model?.Metrics ?? run.Metrics;
        var state = model?.Status == ModelStatus.Champion ? $"[{Served}]serves[/]" : $"[{Dim}]{model?.Status ?? run.Status}[/]";
        return $"[{colour}]{mark}[/] [bold]{name,-5}[/][{Label}]{Cut(run.Reason, 17),-18}[/]"
            + $"{took,7}  {Value(metrics, "hr_10"),6} {Value(metrics, "ndcg_10"),8}   {state}";
    }

    private static string Value(IReadOnlyDictionary<string, double> metrics, string name) => metrics.TryGetValue(name, out var value) ? Metric(value) : "–";
}
