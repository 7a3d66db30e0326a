using System.Globalization;
using CsvHelper;
using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// Any CSV file (RFC 4180, headings in the first line, UTF-8) through a column mapping. Rows are put in time order. A row that
/// cannot be read is not dropped: it goes out as it is and ingest sets it aside, so that every line of the file is accounted for;
/// <see cref="Notes"/> names the column and line of the first of them.
/// </summary>
public sealed class CsvSource : IEventSource
{
    private const int ShownProblems = 5;

    private readonly string _file;
    private readonly CsvMapping _mapping;
    private readonly Dictionary<string, ItemRecord> _items = new(StringComparer.Ordinal);
    private readonly List<Row> _rows;
    private readonly List<string> _notes = [];
    private long _problems;

    /// <summary>Reads the whole file; about 300 bytes a row.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mapping">Which column is what.</param>
    /// <param name="limit">Only the first so many rows in time order; 0 for all.</param>
    /// <exception cref="SourceException">The file or a mapped column is not there.</exception>
    public CsvSource(string path, CsvMapping mapping, long limit)
    {
        if (!File.Exists(path))
            throw new SourceException($"--data {path}: no such file; --dataset csv reads one file");
        _file = Path.GetFileName(path);
        _mapping = mapping;
        var rows = ReadRows(path);
        _rows = [.. rows.OrderBy(r => r.TimeMs).Take(limit > 0 ? (int)Math.Min(limit, int.MaxValue) : int.MaxValue)]; // stable
        if (_problems > ShownProblems)
            _notes.Add($"{_file}: {_problems - ShownProblems} more rows cannot be read; all of them go to the dead letters");
    }

    public string Name => "csv";

    public long Count => _rows.Count;

    public IReadOnlyList<string> Notes => _notes;

    public IEnumerable<SourceMessage> Read()
    {
        foreach (var item in _items.Values)
            yield return ItemMessages.Of(item, _rows.Count == 0 ? 0 : _rows[0].TimeMs);
        using var writer = new MessageWriter();
        var sent = new HashSet<(UInt128, string, long)>(); // an event is itself by id, user and time
        foreach (var row in _rows)
        {
            var bad = row.Reason != DeadLetterReason.None;
            var eventId = bad ? default : EventIds.Hash(row.Event.EventId!);
            yield return new SourceMessage
            {
                Topic = SourceTopic.Interactions,
                Key = row.Event.UserId,
                TimeMs = row.TimeMs,
                Value = row.Unreadable ?? writer.Interaction(row.Event),
                Fate = bad ? Fate.DeadLetter : sent.Add((eventId, row.Event.UserId!, row.TimeMs)) ? Fate.Applied : Fate.Duplicate,
                Reason = row.Reason,
                Interaction = bad
                    ? default
                    : new Interaction(
                        eventId, row.Event.UserId!, row.Event.ItemId!,
                        EventTypes.Default.Find(row.Event.Type!)!.Code,
                        row.Event.Value, row.TimeMs),
            };
        }
    }

    private List<Row> ReadRows(string path)
    {
        var broken = new Dictionary<long, CsvMalformedReason>();
        var options = new CsvReaderOptions
        {
            HasHeader = !_mapping.Headless, TrackLineNumbers = true, PoolStrings = true, OnMalformedRecord = r => broken[r.LineNumber] = r.Reason,
        };
        using var csv = CsvReader.FromFile(path, options);
        var rows = new List<Row>();
        if (!csv.Read() && csv.Headers.Count == 0)
            throw new SourceException($"--data {path}: the file is empty");
        var width = _mapping.Headless ? csv.FieldCount : csv.Headers.Count;
        var columns = _mapping.Resolve(_file, _mapping.Headless ? [.. Enumerable.Range(1, width).Select(i => $"#{i}")] : csv.Headers);
        var timeMs = long.MinValue;
        for (var more = csv.FieldCount > 0; more; more = csv.Read())
        {
            if (broken.TryGetValue(csv.LineNumber, out var reason) && reason == CsvMalformedReason.UnterminatedQuote)
            {
                throw new SourceException(
                    $"{path} line {csv.LineNumber}: a quote is opened there and never closed, so the rest of the file cannot be told apart");
            }
            var row = broken.ContainsKey(csv.LineNumber) || csv.FieldCount != width ? Unreadable(csv, broken, width) : ReadRow(csv, columns);
            if (row.TimeMs == long.MinValue)
                row = row with { TimeMs = timeMs }; // a row without a readable time stays where it stood
            timeMs = row.TimeMs;
            rows.Add(row);
        }

        var first = rows.FirstOrDefault(r => r.TimeMs != long.MinValue).TimeMs;
        return [.. rows.Select(r => r.TimeMs == long.MinValue ? r with { TimeMs = first } : r)];
    }

    private Row Unreadable(CsvReader csv, Dictionary<long, CsvMalformedReason> broken, int width)
    {
        Problem(
            csv.LineNumber,
            "(all)",
            broken.TryGetValue(csv.LineNumber, out var reason)
                ? $"broken quoting ({reason})"
                : $"{csv.FieldCount} fields, expected {width}");
        // The line as it is, behind a prefix that no JSON value starts with: set aside as malformed_json with the original text kept.
        return new Row(default, long.MinValue, [.. "csv:"u8, .. csv.RawRecord], DeadLetterReason.MalformedJson);
    }

    private Row ReadRow(CsvReader csv, CsvColumns columns)
    {
        var line = csv.LineNumber;
        var problem = DeadLetterReason.None;
        var user = Id(csv.GetString(columns.User));
        var item = Id(csv.GetString(columns.Item));
        var eventId = columns.Event < 0 ? string.Create(CultureInfo.InvariantCulture, $"{_file}-{line}") : Id(csv.GetString(columns.Event));
        var type = columns.Type < 0 ? _mapping.Type : csv.GetString(columns.Type).Trim();
        var timeText = csv.GetString(columns.Time).Trim();
        var timed = CsvTime.TryParse(timeText, out var timeMs);
        var value = columns.Value < 0 ? "" : csv.GetString(columns.Value).Trim();
        var number = float.NaN;
        var valued = value.Length == 0 || (float.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && float.IsFinite(number));

        // In the decoder's order: what is missing is reported before what is wrong, and a wrong id before a wrong type, time or value.
        Check(user is null || item is null || eventId is null || type.Length == 0 || timeText.Length == 0, DeadLetterReason.MissingField,
            Blank(user is null, _mapping.User, item is null, _mapping.Item, timeText.Length == 0, _mapping.Time), "empty");
        foreach (var (id, column) in new[] { (eventId, _mapping.Event ?? "(line)"), (user, _mapping.User), (item, _mapping.Item) })
            Check(id is not null && Ids.Check(id) != DeadLetterReason.None, id is null ? DeadLetterReason.None : Ids.Check(id), column, "not usable as an id");
        Check(EventTypes.Default.Find(type) is null, DeadLetterReason.UnknownType, _mapping.Type, $"'{type}' is no event type");
        var skew = timeMs > DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + 3_600_000;
        Check(!timed, DeadLetterReason.BadTime, _mapping.Time, $"'{timeText}' is no time");
        Check(timed && skew, DeadLetterReason.FutureTime, _mapping.Time, $"'{timeText}' lies in the future");
        Check(!valued, DeadLetterReason.BadValue, _mapping.Value ?? "", $"'{value}' is no number");
        if (item is not null && Ids.Check(item) == DeadLetterReason.None)
            Describe(item, csv, columns);
        var raw = new RawEvent
        {
            EventId = eventId, UserId = user, ItemId = item, Type = type.Length == 0 ? null : type,
            TimeText = timed ? MessageWriter.Time(timeMs) : timeText.Length == 0 ? null : timeText,
            Value = valued ? number : float.NaN,
            ValueText = valued ? null : value,
            SessionId = columns.Session < 0 ? null : csv.GetString(columns.Session).Trim(),
        };
        return new Row(raw, timed ? timeMs : long.MinValue, null, problem);

        void Check(bool wrong, DeadLetterReason reason, string column, string what)
        {
            if (!wrong || problem != DeadLetterReason.None)
                return;
            problem = reason;
            Problem(line, column, what);
        }
    }

    private static string? Id(string text) => text.Trim() is { Length: > 0 } id ? id : null;

    private static string Blank(bool user, string userColumn, bool item, string itemColumn, bool time, string timeColumn) =>
        user ? userColumn : item ? itemColumn : time ? timeColumn : "type or event";

    private void Problem(long line, string column, string what)
    {
        if (++_problems <= ShownProblems)
            _notes.Add($"{_file} line {line}, column {column}: {what}; goes to the dead letters");
    }

    private void Describe(string item, CsvReader csv, CsvColumns columns)
    {
        var known = _items.GetValueOrDefault(item) ?? new ItemRecord { ItemId = item };
        var title = known.Title.Length == 0 && columns.Title >= 0 ? csv.GetString(columns.Title).Trim() : known.Title;
        var text = known.Text is null && columns.Text >= 0 && csv.GetString(columns.Text).Trim() is { Length: > 0 } found ? found : known.Text;
        var categories = known.Categories.Count == 0 && columns.Category >= 0
            ? csv.GetString(columns.Category).Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : known.Categories;
        _items[item] = known with { Title = title, Text = text, Categories = categories };
    }

    private readonly record struct Row(RawEvent Event, long TimeMs, byte[]? Unreadable, DeadLetterReason Reason);
}
