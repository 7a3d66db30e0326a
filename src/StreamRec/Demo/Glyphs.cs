using System.Globalization;
using Spectre.Console;

namespace StreamRec.Demo;

/// <summary>Small pieces of markup: numbers, sparklines, bars.</summary>
internal static class Glyphs
{
    private const string Levels = "▁▂▃▄▅▆▇█";

    public const string
        Served = "springgreen2", Popularity = "orange3", Accent = "deepskyblue1", Dim = "grey50",
        Bad = "red3_1", Label = "grey70", Training = "mediumpurple2";

    public static string Count(double number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    public static string Rate(double perSecond) => perSecond < 10 && perSecond > 0 ? perSecond.ToString("0.0", CultureInfo.InvariantCulture) : Count(perSecond);

    /// <summary>.214, as metrics are usually printed.</summary>
    public static string Metric(double value) => value.ToString(value < 1 ? ".000" : "0.000", CultureInfo.InvariantCulture);

    public static string Milliseconds(double ms) => ms switch
    {
        < 10 => ms.ToString("0.0 'ms'", CultureInfo.InvariantCulture),
        < 10_000 => ms.ToString("0 'ms'", CultureInfo.InvariantCulture),
        _ => (ms / 1000).ToString("0.0 's'", CultureInfo.InvariantCulture),
    };

    public static string Clock(TimeSpan time) => time.ToString(time.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);

    /// <summary>The newest values that fit, scaled to their own largest.</summary>
    public static string Sparkline(IReadOnlyList<double> values, int width, string colour)
    {
        var shown = values.Skip(Math.Max(0, values.Count - width)).ToArray();
        var top = shown.DefaultIfEmpty(0).Max();
        var line = string.Concat(shown.Select(v =>
            v <= 0 || top <= 0
                ? Levels[0]
                : Levels[Math.Clamp((int)Math.Ceiling(v / top * Levels.Length) - 1, 0, Levels.Length - 1)]));
        return $"[{Dim}]{new string(Levels[0], Math.Max(0, width - shown.Length))}[/][{colour}]{line}[/]";
    }

    public static string Bar(double fraction, int width, string colour)
    {
        var full = (int)Math.Round(Math.Clamp(fraction, 0, 1) * width);
        return $"[{colour}]{new string('━', full)}[/][grey30]{new string('━', Math.Max(0, width - full))}[/]";
    }

    /// <summary>Text from outside, cut to a width and safe inside markup.</summary>
    public static string Cut(string text, int width)
    {
        text = text.Replace('\n', ' ').Replace('\r', ' ').Replace('\t', ' ');
        return (text.Length <= width ? text : width <= 1 ? "…" : string.Concat(text.AsSpan(0, width - 1).TrimEnd(), "…")).EscapeMarkup();
    }
}
