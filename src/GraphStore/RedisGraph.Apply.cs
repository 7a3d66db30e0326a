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

    /// <summary>Plain commands: a script would do both in one, and cost Redis several times as much for the usual one or two events.</summary>
    private async Task WriteHistoriesAsync(IDatabase database, IReadOnlyList<LoggedInteraction> rows)
    {
        var byUser = new Dictionary<string, List<object>>(StringComparer.Ordinal);
        foreach (var row in rows)
        {
            if (!byUser.TryGetValue(row.Event.UserId, out var arguments))
                byUser[row.Event.UserId] = arguments = [History(row.Event.UserId), "GT"]; // a member seen at two times keeps the later one
            arguments.Add(row.Event.TimeMs);
            arguments.Add(Member(row.Event));
        }

        var writes = new List<Task>(byUser.Count * 2);
        foreach (var arguments in byUser.Values)
        {
            writes.Add(database.ExecuteAsync("ZADD", [.. arguments]));
            writes.Add(database.SortedSetRemoveRangeByRankAsync((RedisKey)arguments[0], 0, -1 - _options.HistoryLimit));
        }

        await Task.WhenAll(writes);
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

    /// <summary>Item, a control character (which no id contains), the type's code as one character, the value.</summary>
    private static string Member(in Interaction e) => float.IsNaN(e.Value)
        ? string.Create(CultureInfo.InvariantCulture, $"{e.ItemId}\u0001{(char)('@' + e.Type)}")
        : string.Create(CultureInfo.InvariantCulture, $"{e.ItemId}\u0001{(char)('@' + e.Type)}{e.Value:R}");

    private static RecentEvent Parse(string member, double score)
    {
        var at = member.LastIndexOf('\u0001');
        var value = at + 2 < member.Length ? float.Parse(member.AsSpan(at + 2), NumberStyles.Float, CultureInfo.InvariantCulture) : float.NaN;
        return new RecentEvent(member[..at], (byte)(member[at + 1] - '@'), value, (long)score);
    }
}
