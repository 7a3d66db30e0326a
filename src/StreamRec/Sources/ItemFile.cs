using System.Text;
using CsvHelper;
using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// A catalogue in a file: one items.v1 record a line (.jsonl), or a CSV
/// (RFC 4180) with the column item_id and any of title, text, categories.
/// </summary>
internal static class ItemFile
{
    /// <exception cref="SourceException">No such file, or a line that is no item; the message names file and line.</exception>
    public static IReadOnlyList<ItemRecord> Read(string path)
    {
        if (!File.Exists(path))
            throw new SourceException($"--items {path}: no such file");
        return Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".JSONL" or ".NDJSON" => Lines(path),
            ".CSV" => Rows(path),
            var other => throw new SourceException($"--items {path}: '{other}' is not read; give a .jsonl of items.v1 records or a .csv with a heading line"),
        };
    }

    private static List<ItemRecord> Lines(string path)
    {
        var items = new List<ItemRecord>();
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (!Json.TryDecode(Encoding.UTF8.GetBytes(line), out ItemRecord? item, out var reason, out var detail))
                throw new SourceException($"--items {path}, line {number + 1}: {reason} {detail}");
            items.Add(item);
        }

        return items;
    }

    private static List<ItemRecord> Rows(string path)
    {
        using var csv = CsvReader.FromFile(path, new CsvReaderOptions { HasHeader = true, TrackLineNumbers = true });
        var items = new List<ItemRecord>();
        while (csv.Read())
        {
            var headers = csv.Headers;
            string Field(string name) =>
                Enumerable.Range(0, headers.Count).FirstOrDefault(i => headers[i].Trim() == name, -1) is >= 0 and var at
                && at < csv.FieldCount
                    ? csv.GetString(at).Trim()
                    : "";
            if (Field("item_id") is not { Length: > 0 } id)
                throw new SourceException($"--items {path}, line {csv.LineNumber}: no item_id; the columns are {string.Join(", ", headers)}");
            items.Add(new ItemRecord
            {
                ItemId = id,
                Title = Field("title"),
                Text = Field("text") is { Length: > 0 } text ? text : null,
                Categories = [.. Field("categories").Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)],
            });
        }

        return items;
    }
}
