using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.TrainerTests;

/// <summary>
/// A small made-up market whose law a sequence model can learn and popularity cannot: items stand in rings, a user walks along one ring and
/// sometimes jumps. One event a minute; every user has an own pace.
/// </summary>
internal static class TinyMarket
{
    /// <summary>
    /// Everybody buys one of four favourites of their own, drawn anew each time:
    /// vectors of few people's items learn little of it, counting does.
    /// </summary>
    public static GraphSnapshot Favourites(int users = 60, int items = 40, int eventsPerUser = 14)
    {
        var random = new Random(3);
        var favourites = Enumerable.Range(0, users).Select(_ => Enumerable.Range(0, 4).Select(_ => random.Next(items)).ToArray()).ToArray();
        var market = Create(users, items, eventsPerUser, seed: 2);
        return market with { Item = [.. market.User.Select(u => favourites[u][random.Next(4)])] };
    }

    private static Dictionary<string, string> AttributesOf(int user) => user % 5 == 0
        ? []
        : new() { ["pace"] = user % 2 == 0 ? "slow" : "quick", ["age"] = (user % 60).ToString(System.Globalization.CultureInfo.InvariantCulture) };

    public static GraphSnapshot Create(int users = 60, int items = 40, int eventsPerUser = 24, int ring = 8, int seed = 1, float repeatShare = 0)
    {
        var random = new Random(seed);
        var events = new List<(int User, int Item, long Time)>();
        for (var u = 0; u < users; u++)
        {
            var item = random.Next(items);
            var time = 1_700_000_000_000L + (random.Next(40_000) * 1_000L);
            for (var k = 0; k < eventsPerUser; k++)
            {
                events.Add((u, item, time));
                time += 60_000L * (1 + random.Next(600));
                if (random.NextDouble() >= repeatShare)
                    item = random.NextDouble() < 0.1 ? random.Next(items) : (item / ring * ring) + ((item + 1) % ring);
            }
        }

        events.Sort((a, b) => a.Time.CompareTo(b.Time));
        return new GraphSnapshot
        {
            Users = [.. Enumerable.Range(0, users).Select(u => $"u{u}")],
            Attributes = [.. Enumerable.Range(0, users).Select(AttributesOf)],
            Items = [.. Enumerable.Range(0, items).Select(i => new ItemRecord { ItemId = $"i{i}", Title = $"Item {i}", Categories = [$"ring{i / ring}"] })],
            User = [.. events.Select(e => e.User)],
            Item = [.. events.Select(e => e.Item)],
            Type = [.. events.Select(_ => (byte)2)],
            Value = [.. events.Select(_ => float.NaN)],
            TimeMs = [.. events.Select(e => e.Time)],
            NextOffsets = new Dictionary<int, long> { [0] = events.Count },
        };
    }
}
