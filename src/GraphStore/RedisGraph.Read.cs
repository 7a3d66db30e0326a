using StackExchange.Redis;

namespace StreamRec.GraphStore;

public sealed partial class RedisGraph
{
    /// <summary>A person's newest events, newest first; repeats of one (item, type, value) show once, at their latest time. One command.</summary>
    public async Task<IReadOnlyList<RecentEvent>> RecentAsync(string userId, int count = 50)
    {
        var packed = (byte[]?)await Database.StringGetAsync(History(userId));
        return PackedHistory.Read(packed, count);
    }

    /// <summary>The items of a person's newest <see cref="RedisGraphOptions.HistoryLimit"/> events. One command.</summary>
    public async Task<IReadOnlySet<string>> SeenAsync(string userId) =>
        (await RecentAsync(userId, _options.HistoryLimit)).Select(e => e.ItemId).ToHashSet(StringComparer.Ordinal);

    /// <summary>
    /// What is trending at the newest event's time: evidence of the kept buckets, halved per half-life. Each bucket gives its best
    /// 4 x <paramref name="count"/> items, so an item that is never among them can be missed. Cost: partitions x buckets commands, pipelined.
    /// </summary>
    public async Task<IReadOnlyList<(string ItemId, double Score)>> TrendingAsync(int count)
    {
        var database = Database;
        var partitions = System.Array.ConvertAll(await database.SetMembersAsync(Partitions), p => (int)p);
        var newest = await Task.WhenAll(partitions.Select(p => database.HashGetAsync(State(p), "newest")));
        var last = newest.Select(n => (long?)n ?? -1).DefaultIfEmpty(-1).Max();
        var reads = new List<(long Age, Task<SortedSetEntry[]> Entries)>();
        foreach (var partition in partitions)
        {
            for (var age = 0L; age < _options.TrendBuckets && age <= last; age++)
                reads.Add((age, database.SortedSetRangeByRankWithScoresAsync(Trend(partition) + (last - age), 0, (4 * count) - 1, Order.Descending)));
        }

        var scores = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var (age, entries) in reads)
        {
            var decay = Math.Pow(0.5, age * (_options.TrendBucket / _options.TrendHalfLife)) / 1000;
            foreach (var entry in await entries)
                scores[entry.Element!] = scores.GetValueOrDefault(entry.Element!) + (entry.Score * decay);
        }

        return
        [
            .. scores.Where(s => s.Value > 0)
                .OrderByDescending(s => s.Value)
                .ThenBy(s => s.Key, StringComparer.Ordinal)
                .Take(count)
                .Select(s => (s.Key, s.Value))
        ];
    }

    /// <summary>Keeps a person's latest list for pull readers. One command.</summary>
    public Task SetLatestAsync(string userId, ReadOnlyMemory<byte> json) => Database.StringSetAsync(Latest(userId), json.ToArray(), _options.LatestFor);

    /// <summary>Withdraws a person's latest list. One command.</summary>
    public Task RemoveLatestAsync(string userId) => Database.KeyDeleteAsync(Latest(userId));

    /// <summary>The latest list's JSON, or null.</summary>
    public async Task<byte[]?> LatestAsync(string userId) => (byte[]?)await Database.StringGetAsync(Latest(userId));

    /// <summary>Removes a person: history and latest list. Trending holds no ids of people. Returns the keys removed by place.</summary>
    public async Task<IReadOnlyDictionary<string, long>> EraseAsync(string userId)
    {
        var database = Database;
        return new Dictionary<string, long>(StringComparer.Ordinal)
        {
            ["redis.history"] = await database.KeyDeleteAsync(History(userId)) ? 1 : 0,
            ["redis.latest"] = await database.KeyDeleteAsync(Latest(userId)) ? 1 : 0,
        };
    }
}
