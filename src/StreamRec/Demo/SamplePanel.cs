using Spectre.Console;
using Spectre.Console.Rendering;
using StreamRec.Scorer;
using static StreamRec.Demo.Glyphs;

namespace StreamRec.Demo;

/// <summary>One sample user: what they did last, and the list it led to.</summary>
internal static class SamplePanel
{
    public static Panel Of(DemoSnapshot s, int index, int width, int height)
    {
        if (index >= s.Samples.Count)
            return DemoView.Box("somebody", new Markup($"[{Dim}]no list yet[/]"));
        var user = s.Samples[index];
        var events = Math.Clamp((height - 1) / 3, 1, 4);
        var lines = new List<IRenderable>();
        foreach (var e in user.Events.Take(events))
            lines.Add(new Markup($"[{Accent}]{Cut(e.Type, 8),-8}[/] {Cut(Name(e.Title, e.ItemId), width - 9)}"));
        lines.Add(new Markup(
            user.ModelVersion == 0
                ? $"[{Dim}]→ list without a model[/]"
                : $"[{Dim}]→ list by model[/] [{Training}]v{user.ModelVersion}[/]"));
        var room = Math.Max(1, height - lines.Count);
        var reasons = room >= 2 * Math.Min(3, user.List.Count);
        var rank = 0;
        foreach (var item in user.List.Take(reasons ? room / 2 : room))
        {
            lines.Add(Item(++rank, item, width));
            if (reasons)
                lines.Add(new Markup($"   [{Dim}]{Cut(item.Reason, width - 3)}[/]"));
        }

        return DemoView.Box($"user {Cut(user.UserId, 24)}", new Rows(lines));
    }

    private static Markup Item(int rank, SampleItem item, int width)
    {
        var channel = Cut(item.Channel, 10);
        return new Markup(
            $"[{Served}]{rank,2}[/] {Cut(Name(item.Title, item.ItemId), width - 15).PadRight(width - 15)} [{Dim}]{channel,10}[/]")
        {
            Overflow = Overflow.Ellipsis,
        };
    }

    private static string Name(string title, string id) => title.Length > 0 ? title : id;
}
