using System.Globalization;
using StackExchange.Redis;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

public sealed partial class RedisGraph
{
    // KEYS: state. ARGV: expected, next, prefix of the trending keys, buckets kept, newest bucket, then per bucket: its number, how many items,
    // the items, their weights. Totals are read and written a thousand at a time: a third of the cost of as many ZINCRBY. Returns the
    // watermark found; equal to expected means that the stretch was applied.
    private const string CommitScript = """
        local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')
        if applied ~= tonumber(ARGV[1]) then return applied end
        local kept = tonumber(ARGV[4])
        local before = tonumber(redis.call('HGET', KEYS[1], 'newest') or '-1')
        local newest = math.max(before, tonumber(ARGV[5]))
        local at = 6
        while at < #ARGV do
            local bucket, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
            local key, first, last = ARGV[3] .. ARGV[at], at + 2, at + 1 + count
            if bucket > newest - kept then
                for from = first, last, 1000 do
                    local upto = math.min(from + 999, last)
                    local totals = redis.call('ZMSCORE', key, unpack(ARGV, from, upto))
                    local entries = {}
                    for i = from, upto do
                        local total, weight = totals[i - from + 1], ARGV[i + count]
                        entries[#entries + 1] = total and total + weight or weight
                        entries[#entries + 1] = ARGV[i]
                    end
                    redis.call('ZADD', key, unpack(entries))
                end
            end
            at = last + count + 1
        end
        if before >= 0 and newest > before then
            for b = math.max(before - kept + 1, 0), math.min(newest - kept, before) do
                redis.call('DEL', ARGV[3] .. string.format('%d', b))
            end
        end
        redis.call('HSET', KEYS[1], 'applied', ARGV[2], 'newest', string.format('%d', newest))
        return applied
        """;

    /// <summary>Histories read, merged and written at a time: enough for a command to be worth its round trip, few enough for others to wait little.</summary>
    private const int PeopleAtOnce = 256;

    // KEYS: histories. ARGV: of each the version it had when it was read, and its new content. Returns the places of those that have changed since.
    private const string ReplaceScript = """
        local changed = {}
        for i = 1, #KEYS do
            if redis.call('GETRANGE', KEYS[i], 0, 3) == ARGV[2 * i - 1] then
                redis.call('SET', KEYS[i], ARGV[2 * i])
            else
                changed[#changed + 1] = i
            end
        end
        return changed
        """;

    /// <summary>
    /// Applies a stretch of one partition that Postgres has committed. Idempotent: a stretch applied before changes nothing.
    /// Cost: two commands per 256 people (on a Redis Cluster, where each has a slot of their own, per person) and one per stretch.
    /// </summary>
    /// <param name="partition">Partition of the interactions topic.</param>
    /// <param name="expected">First offset of the stretch.</param>
    /// <param name="next">Offset after it.</param>
    /// <param name="rows">Its events that were new to the graph.</param>
    /// <returns>The watermark found. At <paramref name="expected"/>: applied. Below: Redis lacks what came before. Above: it has (part of) this.</returns>
    public async Task<long> ApplyAsync(int partition, long expected, long next, IReadOnlyList<LoggedInteraction> rows)
    {
        var database = Database;
        var applied = await AppliedAsync(partition);
        if (applied != expected)
            return applied;
        if (expected == 0)
            await database.SetAddAsync(Partitions, partition);
        await WriteHistoriesAsync(database, rows);
        return (long)await database.ScriptEvaluateAsync(CommitScript, [State(partition)], TrendArguments(partition, expected, next, rows));
    }

    /// <summary>Offset up to which a partition is in Redis; 0 where nothing is.</summary>
    public async Task<long> AppliedAsync(int partition) => (long?)await Database.HashGetAsync(State(partition), "applied") ?? 0;

    /// <summary>
    /// Reads, merges and writes each person's history; a write that finds another content than was read is done again, so two writers
    /// (an owner and one that does not know yet that it no longer is) cannot overwrite each other.
    /// </summary>
    private async Task WriteHistoriesAsync(IDatabase database, IReadOnlyList<LoggedInteraction> rows)
    {
        var byUser = new Dictionary<string, List<RecentEvent>>(StringComparer.Ordinal);
        foreach (var row in rows)
        {
            if (!byUser.TryGetValue(row.Event.UserId, out var events))
                byUser[row.Event.UserId] = events = [];
            events.Add(new RecentEvent(row.Event.ItemId, row.Event.Type, row.Event.Value, row.Event.TimeMs));
        }

        var together = _redis.GetEndPoints().Any(e => _redis.GetServer(e).ServerType == ServerType.Cluster) ? 1 : PeopleAtOnce;
        foreach (var people in byUser.Chunk(PeopleAtOnce))
            await Task.WhenAll(people.Chunk(together).Select(p => ReplaceAsync(database, p)));
    }

    private async Task ReplaceAsync(IDatabase database, KeyValuePair<string, List<RecentEvent>>[] left)
    {
        while (left.Length > 0)
        {
            var found = await database.StringGetAsync(System.Array.ConvertAll(left, p => History(p.Key)));
            var written = new List<KeyValuePair<string, List<RecentEvent>>>(left.Length);
            var (keys, contents) = (new List<RedisKey>(left.Length), new List<RedisValue>(2 * left.Length));
            for (var i = 0; i < left.Length; i++)
            {
                var before = (byte[]?)found[i] ?? [];
                var after = PackedHistory.Merge(before, left[i].Value, _options.HistoryLimit);
                if (after.AsSpan().SequenceEqual(before))
                    continue; // delivered before
                written.Add(left[i]);
                keys.Add(History(left[i].Key));
                contents.AddRange([before[..Math.Min(before.Length, PackedHistory.VersionBytes)], after]);
            }

            if (written.Count == 0)
                return;
            var changed = (long[])(await database.ScriptEvaluateAsync(ReplaceScript, [.. keys], [.. contents]))!;
            left = System.Array.ConvertAll(changed, place => written[(int)place - 1]);
        }
    }

    private RedisValue[] TrendArguments(int partition, long expected, long next, IReadOnlyList<LoggedInteraction> rows)
    {
        var buckets = new Dictionary<long, Dictionary<string, long>>();
        var width = (long)_options.TrendBucket.TotalMilliseconds;
        foreach (var row in rows)
        {
            if (!buckets.TryGetValue(row.Event.TimeMs / width, out var bucket))
                buckets[row.Event.TimeMs / width] = bucket = new(StringComparer.Ordinal);
            bucket[row.Event.ItemId] = bucket.GetValueOrDefault(row.Event.ItemId) + PostgresGraph.Thousandths(_types.WeightOf(row.Event.Type));
        }

        var arguments = new RedisValue[5 + buckets.Values.Sum(b => 2 + (2 * b.Count))]; // of its size: megabytes grown by doubling would be kept for long
        (arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]) =
            (expected, next, Trend(partition), _options.TrendBuckets, buckets.Keys.DefaultIfEmpty(-1).Max());
        var at = 5;
        foreach (var (number, bucket) in buckets)
        {
            (arguments[at], arguments[at + 1]) = (number, bucket.Count);
            at += 2;
            foreach (var (item, weight) in bucket)
            {
                (arguments[at], arguments[at + bucket.Count]) = (item, weight);
                at++;
            }

            at += bucket.Count;
        }

        return arguments;
    }
}
