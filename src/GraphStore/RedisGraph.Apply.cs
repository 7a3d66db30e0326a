using System.Globalization;
using StackExchange.Redis;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

public sealed partial class RedisGraph
{
    // KEYS: state. ARGV: expected, next, prefix of the trending keys, buckets kept, then bucket, item and weight per fold.
    // Returns the watermark found; equal to expected means that the batch was applied.
    private const string CommitScript = """
        local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')
        if applied ~= tonumber(ARGV[1]) then return applied end
        local kept = tonumber(ARGV[4])
        local before = tonumber(redis.call('HGET', KEYS[1], 'newest') or '-1')
        local newest = before
        for i = 5, #ARGV, 3 do newest = math.max(newest, tonumber(ARGV[i])) end
        for i = 5, #ARGV, 3 do
            if tonumber(ARGV[i]) > newest - kept then
                redis.call('ZINCRBY', ARGV[3] .. ARGV[i], ARGV[i + 2], ARGV[i + 1])
            end
        end
        if before >= 0 and newest > before then
            for b = math.max(before - kept + 1, 0), math.min(newest - kept, before) do
                redis.call('DEL', ARGV[3] .. string.format('%d', b))
            end
        end
        redis.call('HSET', KEYS[1], 'applied', ARGV[2], 'newest', string.format('%d', newest))
        return applied
        """;

    /// <summary>Histories in flight per partition: enough to fill the pipe, few enough to stay in the cache.</summary>
    private const int PeopleAtOnce = 512;

    // KEYS: a history. ARGV: the version it had when it was read, its new content.
    private const string ReplaceScript = """
        if redis.call('GETRANGE', KEYS[1], 0, 3) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2])
        return 1
        """;

    /// <summary>
    /// Applies a stretch of one partition that Postgres has committed. Idempotent: a stretch applied before changes nothing.
    /// Cost: two commands per person and one per batch, pipelined.
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

        foreach (var people in byUser.Chunk(PeopleAtOnce))
            await ReplaceAsync(database, people);
    }

    private async Task ReplaceAsync(IDatabase database, KeyValuePair<string, List<RecentEvent>>[] left)
    {
        while (left.Length > 0)
        {
            var reads = System.Array.ConvertAll(left, u => database.StringGetAsync(History(u.Key)));
            var writes = new List<Task<RedisResult>>(left.Length);
            var written = new List<KeyValuePair<string, List<RecentEvent>>>(left.Length);
            for (var i = 0; i < left.Length; i++)
            {
                var before = (byte[]?)await reads[i] ?? [];
                var after = PackedHistory.Merge(before, left[i].Value, _options.HistoryLimit);
                if (after.AsSpan().SequenceEqual(before))
                    continue; // delivered before
                written.Add(left[i]);
                writes.Add(database.ScriptEvaluateAsync(ReplaceScript, [History(left[i].Key)], [before[..Math.Min(before.Length, PackedHistory.VersionBytes)], after]));
            }

            var done = await Task.WhenAll(writes);
            left = [.. written.Where((_, i) => (long)done[i] == 0)];
        }
    }

    private RedisValue[] TrendArguments(int partition, long expected, long next, IReadOnlyList<LoggedInteraction> rows)
    {
        var folds = new Dictionary<(long Bucket, string Item), long>();
        var width = (long)_options.TrendBucket.TotalMilliseconds;
        foreach (var row in rows)
        {
            var key = (row.Event.TimeMs / width, row.Event.ItemId);
            folds[key] = folds.GetValueOrDefault(key) + PostgresGraph.Thousandths(_types.WeightOf(row.Event.Type));
        }

        var arguments = new RedisValue[4 + (folds.Count * 3)];
        (arguments[0], arguments[1], arguments[2], arguments[3]) = (expected, next, Trend(partition), _options.TrendBuckets);
        var at = 4;
        foreach (var ((bucket, item), weight) in folds)
        {
            arguments[at++] = bucket;
            arguments[at++] = item;
            arguments[at++] = weight;
        }

        return arguments;
    }
}
