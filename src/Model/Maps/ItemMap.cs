using System.Globalization;
using System.Net;
using System.Text;

namespace StreamRec.Model.Maps;

/// <summary>One item on a map.</summary>
/// <param name="Id">Item id.</param>
/// <param name="Title">Shown when the mouse rests on it.</param>
/// <param name="Group">Decides its colour: a category, say; empty for none.</param>
public readonly record struct MapLabel(string Id, string Title, string Group);

/// <summary>Items as dots in an SVG, and their vectors as files of TensorBoard's embedding projector.</summary>
public static class ItemMap
{
    /// <summary>Groups with a colour of their own; the rest is grey.</summary>
    private const int Colours = 10;
    private const int Size = 1000, Margin = 30, Legend = 220;
    private static readonly string[] Palette = ["#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#2f4b7c"];

    /// <summary>An SVG of its own, without scripts: dots coloured by group, the largest groups in a legend, titles as tooltips.</summary>
    public static string Svg(string caption, ReadOnlySpan<float> x, ReadOnlySpan<float> y, IReadOnlyList<MapLabel> labels)
    {
        var groups = labels.Where(l => l.Group.Length > 0).GroupBy(l => l.Group, StringComparer.Ordinal)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal)
            .Take(Colours)
            .Select((g, i) => (g.Key, Count: g.Count(), Colour: Palette[i]))
            .ToArray();
        var colour = groups.ToDictionary(g => g.Key, g => g.Colour, StringComparer.Ordinal);
        var (left, top) = (Least(x), Least(y));
        var scale = (Size - (2 * Margin)) / Math.Max(1e-6f, Math.Max(Greatest(x) - left, Greatest(y) - top));
        var svg = new StringBuilder();
        svg.Append(
            CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Size + Legend} {Size + 40}\" font-family=\"sans-serif\" font-size=\"14\">\n");
        svg.Append(
            CultureInfo.InvariantCulture,
            $"<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"{Margin}\" y=\"28\" font-size=\"18\">{Escape(caption)}</text>\n");
        for (var i = 0; i < labels.Count; i++)
        {
            var (px, py) = (Margin + ((x[i] - left) * scale), 40 + Margin + ((y[i] - top) * scale));
            svg.Append(
                CultureInfo.InvariantCulture,
                $"<circle cx=\"{px:0.0}\" cy=\"{py:0.0}\" r=\"3.5\" "
                + $"fill=\"{colour.GetValueOrDefault(labels[i].Group, "#bbbbbb")}\" fill-opacity=\"0.75\">");
            svg.Append(
                CultureInfo.InvariantCulture,
                $"<title>{Escape(labels[i].Id)}: {Escape(labels[i].Title)}"
                + $"{(labels[i].Group.Length > 0 ? $" ({Escape(labels[i].Group)})" : "")}</title></circle>\n");
        }

        for (var g = 0; g < groups.Length; g++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{Size + 12}\" cy=\"{70 + (g * 24)}\" r=\"6\" fill=\"{groups[g].Colour}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Size + 26}\" y=\"{75 + (g * 24)}\">{Escape(groups[g].Key)} ({groups[g].Count})</text>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>vectors.tsv, metadata.tsv and projector_config.pbtxt: what <c>tensorboard --logdir FOLDER</c> shows under Projector.</summary>
    public static void WriteProjector(string folder, float[] vectors, int width, IReadOnlyList<MapLabel> labels)
    {
        Directory.CreateDirectory(folder);
        using (var file = new StreamWriter(Path.Combine(folder, "vectors.tsv")))
        {
            for (var i = 0; i < labels.Count; i++)
            {
                for (var c = 0; c < width; c++)
                {
                    if (c > 0)
                        file.Write('\t');
                    file.Write(vectors[(i * width) + c].ToString("R", CultureInfo.InvariantCulture));
                }

                file.Write('\n');
            }
        }

        var metadata = new StringBuilder("item\ttitle\tgroup\n");
        foreach (var label in labels)
            metadata.Append(Cell(label.Id)).Append('\t').Append(Cell(label.Title)).Append('\t').Append(Cell(label.Group)).Append('\n');
        File.WriteAllText(Path.Combine(folder, "metadata.tsv"), metadata.ToString());
        File.WriteAllText(
            Path.Combine(folder, "projector_config.pbtxt"),
            "embeddings {\n  tensor_name: \"item.vectors\"\n  tensor_path: \"vectors.tsv\"\n  metadata_path: \"metadata.tsv\"\n}\n");
    }

    private static string Cell(string text) => text.ReplaceLineEndings(" ").Replace('\t', ' ');

    private static string Escape(string text) => WebUtility.HtmlEncode(new string([.. text.Where(c => c >= ' ')]));

    private static float Least(ReadOnlySpan<float> values) => values.IsEmpty ? 0 : System.Numerics.Tensors.TensorPrimitives.Min(values);

    private static float Greatest(ReadOnlySpan<float> values) => values.IsEmpty ? 0 : System.Numerics.Tensors.TensorPrimitives.Max(values);
}
