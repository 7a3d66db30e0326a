using Spectre.Console;
using Spectre.Console.Rendering;
using StreamRec.Replay;
using static StreamRec.Demo.Glyphs;

namespace StreamRec.Demo;

/// <summary>The live picture: one screen, built anew from a <see cref="DemoSnapshot"/> a few times a second. Best from 120 x 36 up.</summary>
internal static class DemoView
{
    private const int HeaderRows = 3, CounterRows = 8, FooterRows = 1;

    public static IRenderable Build(DemoSnapshot s, int width, int height)
    {
        var rest = Math.Max(16, height - HeaderRows - CounterRows - FooterRows);
        var middle = Math.Clamp(rest / 2, 8, 15);
        var layout = new Layout("all").SplitRows(
            new Layout("header") { Size = HeaderRows }.Update(Header(s, width)),
            new Layout("counters") { Size = CounterRows }.SplitColumns(
                new Layout("in") { Ratio = 10 }.Update(CounterPanels.Events(s, Inner(width, 10, 38))),
                new Layout("graph") { Ratio = 7 }.Update(CounterPanels.Graph(s)),
                new Layout("out") { Ratio = 11 }.Update(CounterPanels.Lists(s, Inner(width, 11, 38))),
                new Layout("dead") { Ratio = 10 }.Update(CounterPanels.DeadLetters(s, Inner(width, 10, 38)))),
            new Layout("learning") { Size = middle }.SplitColumns(
                new Layout("models").Update(LearningPanels.Models(s, (width / 2) - 4, middle - 2)),
                new Layout("accuracy").Update(LearningPanels.Accuracy(s, (width / 2) - 4, middle - 2))),
            new Layout("people").SplitColumns(
                [.. Enumerable.Range(0, 3).Select(i => new Layout($"person{i}").Update(SamplePanel.Of(s, i, (width / 3) - 4, rest - middle - 2)))]),
            new Layout("footer") { Size = FooterRows }.Update(Footer(s, width)));
        return layout;
    }

    /// <summary>A titled box in the picture's style.</summary>
    public static Panel Box(string title, IRenderable content, string colour = "grey37") =>
        new(content)
        {
            Header = new PanelHeader($"[{Label}] {title} [/]"),
            Border = BoxBorder.Rounded, BorderStyle = Style.Parse(colour),
            Expand = true, Padding = new Padding(1, 0),
        };

    private static int Inner(int width, int ratio, int ratios) => Math.Max(16, (width * ratio / ratios) - 4);

    private static Panel Header(DemoSnapshot s, int width)
    {
        var left = $"[bold {Accent}]◆ StreamRec[/]  [bold]{s.Dataset.EscapeMarkup()}[/] [{Label}]at {s.Speed.EscapeMarkup()}[/]";
        var right = $"{Count(s.Sent)} [{Label}]of[/] {Count(s.Total)} [{Label}]events[/]   {Clock(s.Elapsed)}   {State(s)}";
        var bar = Math.Max(8, width - Markup.Remove(left).Length - Markup.Remove(right).Length - 12);
        return new Panel(new Markup($"{left}   {Bar(s.Total == 0 ? 0 : s.Sent / (double)s.Total, bar, Accent)}   {right}"))
        {
            Border = BoxBorder.Rounded, BorderStyle = Style.Parse(Accent), Expand = true, Padding = new Padding(1, 0),
        };
    }

    private static string State(DemoSnapshot s) => s.Phase switch
    {
        DemoPhase.Starting => $"[{Label}]starting  [/]",
        DemoPhase.Replaying when s.Hold == Hold.Training => $"[{Training}]waits for training[/]",
        DemoPhase.Replaying when s.Hold != Hold.None => $"[{Popularity}]held back by lag  [/]",
        DemoPhase.Replaying => $"[{Served}]streaming         [/]",
        DemoPhase.Draining => $"[{Accent}]all sent, catching up[/]",
        DemoPhase.LastTraining => $"[{Training}]all scored, training[/]",
        _ => $"[{Served}]done[/]",
    };

    private static Markup Footer(DemoSnapshot s, int width)
    {
        if (s.Problem is { } problem)
            return new Markup($" [{Bad}]![/] [{Label}]{Cut(problem, width - 4)}[/]") { Overflow = Overflow.Ellipsis };
        var outside = s.Bootstrap.Length == 0 ? "" : $"kcat -b {s.Bootstrap} -t {s.ListsTopic} -C -o end";
        var console = s.Console is null ? "" : $"   [{Label}]web console[/] {s.Console.EscapeMarkup()}";
        return new Markup(
            $" [{Label}]outside:[/] [{Accent}]{Cut(outside, Math.Max(20, width - 50))}[/][{Dim}]{console}   {Cut(s.Broker, 40)}   Ctrl-C ends[/]")
        {
            Overflow = Overflow.Ellipsis,
        };
    }
}
