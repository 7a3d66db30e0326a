using System.Globalization;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Trainer.Evaluation;

namespace StreamRec.Sources;

/// <summary>
/// The data sets of the evaluation protocol: MovieLens 100K (all ratings, or those of 4 and 5 only) and UCI Online Retail (purchases with a customer; of equal
/// lines of one customer, item and minute the first). Users are numbered by their number, films by theirs, shop items by the bytes of their code.
/// </summary>
internal static class EvaluationData
{
    public static IReadOnlyList<string> Names { get; } = ["ml-100k", "ml-100k-ge4", "online-retail"];

    /// <exception cref="SourceException">A file is missing or not what the format says.</exception>
    public static EvaluationSet Open(string dataset, string folder)
    {
        var shop = dataset == "online-retail";
        var source = EventSources.Open(shop ? dataset : "ml-100k", folder, null, 0, new());
        var items = new Dictionary<string, ItemRecord>(StringComparer.Ordinal);
        var events = new List<Interaction>();
        var seen = new HashSet<(string, string, long)>();
        var purchase = EventTypes.Default.Find("purchase")!.Code;
        foreach (var message in source.Read())
        {
            if (message.Item is { } item)
                items[item.ItemId] = item;
            else if (message.Fate == Fate.Applied && IsEvent(message.Interaction))
                events.Add(message.Interaction);
        }

        if (events.Count < 10)
            throw new SourceException($"--data {folder}: {events.Count} events are too few for an evaluation");
        return new EvaluationSet(dataset, SnapshotOf(events, items, source.Users, shop), shop);

        bool IsEvent(in Interaction e) => shop
            ? e.Type == purchase && e.Value > 0 && seen.Add((e.UserId, e.ItemId, e.TimeMs))
            : dataset != "ml-100k-ge4" || e.Value >= 4;
    }

    private static GraphSnapshot SnapshotOf(List<Interaction> events, Dictionary<string, ItemRecord> items, IReadOnlyList<UserRecord> known, bool shop)
    {
        static int Number(string id) => int.Parse(id, CultureInfo.InvariantCulture);
        string[] users = [.. events.Select(e => e.UserId).Distinct(StringComparer.Ordinal).OrderBy(Number)];
        var ids = events.Select(e => e.ItemId).Distinct(StringComparer.Ordinal);
        string[] itemIds = shop ? [.. ids.Order(StringComparer.Ordinal)] : [.. ids.OrderBy(Number)];
        var userOf = users.Index().ToDictionary(u => u.Item, u => u.Index, StringComparer.Ordinal);
        var itemOf = itemIds.Index().ToDictionary(i => i.Item, i => i.Index, StringComparer.Ordinal);
        var attributes = known.ToDictionary(u => u.UserId, u => u.Attributes, StringComparer.Ordinal);
        return new GraphSnapshot
        {
            Users = users,
            Attributes = known.Count == 0 ? null : [.. users.Select(u => attributes.GetValueOrDefault(u) ?? new Dictionary<string, string>())],
            Items = [.. itemIds.Select(id => items.GetValueOrDefault(id) ?? new ItemRecord { ItemId = id })],
            User = [.. events.Select(e => userOf[e.UserId])],
            Item = [.. events.Select(e => itemOf[e.ItemId])],
            Type = [.. events.Select(e => e.Type)],
            Value = [.. events.Select(e => e.Value)],
            TimeMs = [.. events.Select(e => e.TimeMs)],
            NextOffsets = new Dictionary<int, long>(),
        };
    }
}
