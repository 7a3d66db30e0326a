using System.Globalization;
using System.Text;
using System.Text.Json;
using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// MovieLens 100K: <c>u.data</c> (user, item, rating, Unix seconds) as rating events in time order, <c>u.item</c> as
/// catalogue with title and genres, <c>u.user</c> where it is there as the users' age, gender and occupation, and
/// film descriptions from <c>item_text.derived.jsonl</c> where that file lies beside them. Lines with the same
/// second keep the file's order. Format: files.grouplens.org/datasets/movielens/ml-100k-README.txt.
/// </summary>
public sealed class MovieLensSource : IEventSource
{
    private static readonly string[] Genres =
    [
        "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
        "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
    ];

    private readonly List<ItemRecord> _items;
    private readonly Line[] _lines;

    /// <summary>Reads the whole data set; about 10 MB.</summary>
    /// <param name="folder">Holds u.data and u.item.</param>
    /// <param name="limit">Only the first so many ratings in time order; 0 for all.</param>
    /// <exception cref="SourceException">A file is missing, or a line is not what the format says; names file and line.</exception>
    public MovieLensSource(string folder, long limit)
    {
        var abstracts = ReadAbstracts(Path.Combine(folder, "item_text.derived.jsonl"));
        Users = ReadUsers(Path.Combine(folder, "u.user"));
        _items = ReadItems(Need(folder, "u.item"), abstracts);
        var lines = ReadRatings(Need(folder, "u.data"));
        _lines = [.. lines.OrderBy(l => l.TimeMs).Take(limit > 0 ? (int)Math.Min(limit, int.MaxValue) : int.MaxValue)]; // stable
    }

    public string Name => "ml-100k";

    public long Count => _lines.Length;

    public IReadOnlyList<string> Notes => [];

    public IReadOnlyList<UserRecord> Users { get; }

    public IEnumerable<SourceMessage> Read()
    {
        foreach (var item in _items)
            yield return ItemMessages.Of(item, _lines.Length == 0 ? 0 : _lines[0].TimeMs);
        using var writer = new MessageWriter();
        var rating = EventTypes.Default.Find("rating")!.Code;
        foreach (var line in _lines)
        {
            var eventId = string.Create(CultureInfo.InvariantCulture, $"ml-100k-{line.Number}");
            yield return new SourceMessage
            {
                Topic = SourceTopic.Interactions,
                Key = line.User,
                TimeMs = line.TimeMs,
                Value = writer.Interaction(new RawEvent
                {
                    EventId = eventId, UserId = line.User, ItemId = line.Item, Type = "rating", Value = line.Rating, TimeText = MessageWriter.Time(line.TimeMs),
                }),
                Interaction = new Interaction(EventIds.Hash(eventId), line.User, line.Item, rating, line.Rating, line.TimeMs),
            };
        }
    }

    private static string Need(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        return File.Exists(path)
            ? path
            : throw new SourceException($"--data {folder}: no {file} in it; --dataset ml-100k needs u.data and u.item of MovieLens 100K");
    }

    private static List<Line> ReadRatings(string path)
    {
        var lines = new List<Line>(100_000);
        var users = new Dictionary<string, string>();
        var number = 0;
        foreach (var text in File.ReadLines(path))
        {
            number++;
            var parts = text.Split('\t');
            if (parts.Length != 4 || !int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var rating)
                || !long.TryParse(parts[3], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            {
                throw new SourceException($"{path} line {number}: '{text}' is not user, item, rating and Unix seconds separated by tabs");
            }

            lines.Add(new Line(number, Same(parts[0]), Same(parts[1]), rating, seconds * 1000));
        }

        return lines;

        string Same(string id) => users.TryGetValue(id, out var known) ? known : users[id] = id;
    }

    private static List<UserRecord> ReadUsers(string path)
    {
        var users = new List<UserRecord>();
        var number = 0;
        foreach (var text in File.Exists(path) ? File.ReadLines(path) : [])
        {
            number++;
            var parts = text.Split('|');
            if (parts.Length != 5)
                throw new SourceException($"{path} line {number}: {parts.Length} fields separated by |, expected 5");
            users.Add(new UserRecord
            {
                UserId = parts[0],
                Attributes = new Dictionary<string, string> { ["age"] = parts[1], ["gender"] = parts[2], ["occupation"] = parts[3] },
            });
        }

        return users;
    }

    private static List<ItemRecord> ReadItems(string path, Dictionary<string, string> abstracts)
    {
        var items = new List<ItemRecord>(1_700);
        var number = 0;
        foreach (var text in File.ReadLines(path, Encoding.Latin1))
        {
            number++;
            var parts = text.Split('|');
            if (parts.Length != 5 + Genres.Length)
                throw new SourceException($"{path} line {number}: {parts.Length} fields separated by |, expected {5 + Genres.Length}");
            var released = DateTimeOffset.TryParseExact(parts[2], "dd-MMM-yyyy", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day);
            items.Add(new ItemRecord
            {
                ItemId = parts[0],
                Title = parts[1].Trim(),
                Text = abstracts.GetValueOrDefault(parts[0]),
                Categories = [.. Genres.Where((_, g) => parts[5 + g] == "1")],
                PublishedAt = released ? day : null,
            });
        }

        return items;
    }

    private static Dictionary<string, string> ReadAbstracts(string path)
    {
        var abstracts = new Dictionary<string, string>();
        if (!File.Exists(path))
            return abstracts;
        foreach (var line in File.ReadLines(path))
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.GetProperty("abstract").GetString() is { Length: > 0 } text)
                abstracts[json.RootElement.GetProperty("item").GetInt32().ToString(CultureInfo.InvariantCulture)] = text;
        }

        return abstracts;
    }

    private readonly record struct Line(int Number, string User, string Item, float Rating, long TimeMs);
}
