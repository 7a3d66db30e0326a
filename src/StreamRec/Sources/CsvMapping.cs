using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// Which column of a CSV file is which field, as given with <c>--map user=…,item=…,time=…</c>. A column is named by its heading,
/// or by <c>#1</c>, <c>#2</c> … from the left for a file without headings. <c>type</c> may also be the name of an event type that all rows have.
/// </summary>
public sealed record CsvMapping
{
    private static readonly string[] Known = ["user", "item", "time", "type", "value", "title", "text", "category", "event", "session"];

    /// <summary>Required.</summary>
    public required string User { get; init; }

    /// <summary>Required.</summary>
    public required string Item { get; init; }

    /// <summary>Required. RFC 3339, <c>yyyy-MM-dd[ HH:mm[:ss]]</c> taken as UTC, Unix seconds or Unix milliseconds.</summary>
    public required string Time { get; init; }

    /// <summary>A column, or an event type for every row. Default <c>view</c>.</summary>
    public string Type { get; init; } = "view";

    /// <summary>Rating, quantity …; none when null.</summary>
    public string? Value { get; init; }

    /// <summary>The item's title; the first non-empty one counts.</summary>
    public string? Title { get; init; }

    /// <summary>The item's description.</summary>
    public string? Text { get; init; }

    /// <summary>The item's categories, separated by |.</summary>
    public string? Category { get; init; }

    /// <summary>A unique id per row; null makes one of the file's name and the line.</summary>
    public string? Event { get; init; }
    public string? Session { get; init; }

    /// <summary>True when columns are named by number, so the first line is data.</summary>
    public bool Headless => User.StartsWith('#');

    /// <summary>Reads <c>user=CustomerID,item=StockCode,time=InvoiceDate</c>.</summary>
    /// <exception cref="SourceException">A field is unknown, given twice or missing; names it.</exception>
    public static CsvMapping Parse(string? map)
    {
        const string Example = "such as --map user=customer,item=sku,time=bought_at,type=purchase,value=quantity,title=name";
        if (string.IsNullOrWhiteSpace(map))
            throw new SourceException($"--dataset csv needs --map, {Example}");
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in map.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var split = part.IndexOf('=', StringComparison.Ordinal);
            if (split <= 0 || split == part.Length - 1)
                throw new SourceException($"--map '{part}' is not field=column, {Example}");
            var (field, column) = (part[..split].Trim(), part[(split + 1)..].Trim());
            if (!Known.Contains(field))
                throw new SourceException($"--map has no field '{field}'; the fields are {string.Join(", ", Known)}");
            if (!fields.TryAdd(field, column))
                throw new SourceException($"--map gives '{field}' twice: {fields[field]} and {column}");
        }

        return new CsvMapping
        {
            User = Required("user"), Item = Required("item"), Time = Required("time"),
            Type = fields.GetValueOrDefault("type") ?? "view",
            Value = fields.GetValueOrDefault("value"), Title = fields.GetValueOrDefault("title"), Text = fields.GetValueOrDefault("text"),
            Category = fields.GetValueOrDefault("category"), Event = fields.GetValueOrDefault("event"), Session = fields.GetValueOrDefault("session"),
        };

        string Required(string field) => fields.GetValueOrDefault(field) ?? throw new SourceException($"--map lacks {field}=<column>, {Example}");
    }

    /// <summary>Finds each mapped column among a file's headings.</summary>
    /// <exception cref="SourceException">A column is not there; names it, the field and the headings there are.</exception>
    internal CsvColumns Resolve(string file, IReadOnlyList<string> headings)
    {
        var typeColumn = Find(Type, headings);
        if (typeColumn < 0 && EventTypes.Default.Find(Type) is null)
        {
            throw new SourceException($"--map type={Type}: {file} has no such column (it has {Headings(headings)}), "
                + $"and it is no event type ({string.Join(", ", EventTypes.Default.All.Select(t => t.Name))})");
        }

        return new CsvColumns(
            At("user", User), At("item", Item), At("time", Time), typeColumn, Optional("value", Value), Optional("title", Title), Optional("text", Text),
            Optional("category", Category), Optional("event", Event), Optional("session", Session));

        int At(string field, string column) => Find(column, headings) is >= 0 and var found
            ? found
            : throw new SourceException($"--map {field}={column}: {file} has no such column; it has {Headings(headings)}");

        int Optional(string field, string? column) => column is null ? -1 : At(field, column);
    }

    private static string Headings(IReadOnlyList<string> headings) => string.Join(", ", headings);

    private static int Find(string column, IReadOnlyList<string> headings)
    {
        if (column.StartsWith('#') && int.TryParse(column.AsSpan(1), out var number))
            return number >= 1 && number <= headings.Count ? number - 1 : -1;
        for (var i = 0; i < headings.Count; i++)
        {
            if (string.Equals(headings[i].Trim(), column, StringComparison.OrdinalIgnoreCase))
                return i;
        }

        return -1;
    }
}

/// <summary>Zero-based positions of the mapped columns; -1 where there is none.</summary>
internal readonly record struct CsvColumns(int User, int Item, int Time, int Type, int Value, int Title, int Text, int Category, int Event, int Session);
