using System.Globalization;
using System.IO.Compression;
using CsvHelper;
using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// UCI Online Retail: every line of a web shop's invoices, in time order, none left out. Lines of a credit note (InvoiceNo starts
/// with C) or with a negative quantity are <c>return</c> events, the others <c>purchase</c>; the value is the absolute quantity.
/// Lines without a customer go out without user_id, and ingest sets them aside as missing_field: the shop's own dirt, kept visible.
/// </summary>
public sealed class OnlineRetailSource : IEventSource
{
    private static readonly string[] Columns = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

    private static readonly string[] Files = ["online-retail.csv.gz", "online-retail.csv"];

    private readonly Dictionary<string, ItemRecord> _items = new(StringComparer.Ordinal);
    private readonly List<Line> _lines;

    /// <summary>Reads the whole data set; about 100 MB for all 541,909 lines.</summary>
    /// <param name="folder">Holds online-retail.csv.gz or online-retail.csv.</param>
    /// <param name="limit">Only the first so many lines in time order; 0 for all.</param>
    /// <exception cref="SourceException">The file is missing, or a line is not what the format says; names file and line.</exception>
    public OnlineRetailSource(string folder, long limit)
    {
        var path = Files.Select(f => Path.Combine(folder, f)).FirstOrDefault(File.Exists)
            ?? throw new SourceException($"--data {folder}: neither online-retail.csv.gz nor online-retail.csv in it");
        var lines = ReadLines(path);
        _lines = [.. lines.OrderBy(l => l.TimeMs).Take(limit > 0 ? (int)Math.Min(limit, int.MaxValue) : int.MaxValue)]; // stable
    }

    public string Name => "online-retail";

    public long Count => _lines.Count;

    public IReadOnlyList<string> Notes => [];

    public IEnumerable<SourceMessage> Read()
    {
        foreach (var item in _items.Values)
            yield return ItemMessages.Of(item, _lines.Count == 0 ? 0 : _lines[0].TimeMs);
        using var writer = new MessageWriter();
        byte purchase = EventTypes.Default.Find("purchase")!.Code, @return = EventTypes.Default.Find("return")!.Code;
        foreach (var line in _lines)
        {
            var eventId = string.Create(CultureInfo.InvariantCulture, $"online-retail-{line.Number}");
            var applied = line.Customer is not null && line.Item.Length > 0;
            yield return new SourceMessage
            {
                Topic = SourceTopic.Interactions,
                Key = line.Customer,
                TimeMs = line.TimeMs,
                Value = writer.Interaction(new RawEvent
                {
                    EventId = eventId,
                    UserId = line.Customer,
                    ItemId = line.Item.Length > 0 ? line.Item : null,
                    Type = line.IsReturn ? "return" : "purchase",
                    Value = line.Quantity,
                    TimeText = MessageWriter.Time(line.TimeMs),
                    SessionId = line.Invoice,
                    Context = [("price", line.Price), ("country", line.Country)],
                }),
                Fate = applied ? Fate.Applied : Fate.DeadLetter,
                Reason = applied ? DeadLetterReason.None : DeadLetterReason.MissingField,
                Interaction = applied
                    ? new Interaction(EventIds.Hash(eventId), line.Customer!, line.Item, line.IsReturn ? @return : purchase, line.Quantity, line.TimeMs)
                    : default,
            };
        }
    }

    private List<Line> ReadLines(string path)
    {
        using var file = File.OpenRead(path);
        using Stream plain = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var csv = CsvReader.Create(plain, new CsvReaderOptions { Separator = ',', TrackLineNumbers = true, PoolStrings = true });
        if (!Columns.SequenceEqual(csv.Headers))
            throw new SourceException($"{path} line 1: the columns are {string.Join(",", csv.Headers)}, expected {string.Join(",", Columns)}");
        var lines = new List<Line>(550_000);
        for (var number = 1; csv.Read(); number++)
        {
            var line = ReadLine(csv, number, path);
            lines.Add(line);
            if (line.Item.Length > 0)
                Describe(line.Item, csv.GetString(2).Trim());
        }

        return lines;
    }

    private static Line ReadLine(CsvReader csv, int number, string path)
    {
        if (csv.FieldCount != Columns.Length)
            throw new SourceException($"{path} line {csv.LineNumber}: {csv.FieldCount} fields, expected {Columns.Length}");
        if (!csv.TryParse<int>(3, out var quantity))
            throw new SourceException($"{path} line {csv.LineNumber}, column Quantity: '{csv.GetString(3)}' is not a whole number");
        if (!DateTime.TryParseExact(
                csv.GetString(4),
                "yyyy-MM-dd HH:mm:ss",
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
                out var time))
            throw new SourceException($"{path} line {csv.LineNumber}, column InvoiceDate: '{csv.GetString(4)}' is not yyyy-MM-dd HH:mm:ss");
        var customer = csv.GetString(6).Trim();
        if (customer.EndsWith(".0", StringComparison.Ordinal)) // the file was once a spreadsheet
            customer = customer[..^2];
        var invoice = csv.GetString(0).Trim();
        return new Line(number, invoice, csv.GetString(1).Trim(), Math.Abs(quantity), quantity < 0 || invoice.StartsWith('C'),
            new DateTimeOffset(time).ToUnixTimeMilliseconds(), csv.GetString(5), customer.Length > 0 ? customer : null, csv.GetString(7));
    }

    private void Describe(string item, string description)
    {
        if (!_items.TryGetValue(item, out var known))
            _items.Add(item, new ItemRecord { ItemId = item, Title = description });
        else if (known.Title.Length == 0 && description.Length > 0)
            _items[item] = known with { Title = description };
    }

    private readonly record struct Line(
        int Number, string Invoice, string Item, float Quantity, bool IsReturn, long TimeMs, string Price, string? Customer, string Country);
}
