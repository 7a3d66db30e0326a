using System.Globalization;
using StackExchange.Redis;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>Limits of the shared hot view.</summary>
public sealed record RedisGraphOptions
{
    /// <summary>Newest events kept per person: recent history and seen set. Default 100; each takes about 12 bytes of Redis' memory.</summary>
    public int HistoryLimit { get; init; } = 100;

    /// <summary>Width of a trending bucket in event time. Default 1 hour.</summary>
    public TimeSpan TrendBucket { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Buckets kept behind the newest event of a partition. Default 168 (a week of hours).</summary>
    public int TrendBuckets { get; init; } = 168;

    /// <summary>Age at which evidence counts half in <see cref="RedisGraph.TrendingAsync"/>. Default 24 hours.</summary>
    public TimeSpan TrendHalfLife { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a person's latest list is kept. Default 7 days, as long as its topic.</summary>
    public TimeSpan LatestFor { get; init; } = TimeSpan.FromDays(7);
}

/// <summary>
/// The shared hot view of the graph in Redis: each person's newest events, what they have seen, what is trending, their latest
/// list. Fed after the Postgres commit; losing all of it costs a rebuild, not data. Thread-safe.
/// </summary>
/// <remarks>
/// Keys, and what shares a slot of a Redis Cluster (the part in braces):
/// <c>history:{user}</c> and <c>latest:{user}</c>: a person's own slot. <c>{pN}:state</c> and <c>{pN}:trend:bucket</c>: one slot per
/// log partition. The watermark <c>applied</c> in the state stays correct across slots by order: histories are written first and
/// are idempotent (see <see cref="PackedHistory"/>), then one script adds to the trending buckets and moves the
/// watermark, only if it stands where the batch begins. A crash in between repeats the idempotent part; trending is counted once.
/// Files by verb: Apply, Read, Rebuild. Written to what StackExchange.Redis 1.2.6 and 3.x have in common.
/// </remarks>
public sealed partial class RedisGraph
{
    private readonly IConnectionMultiplexer _redis;
    private readonly RedisGraphOptions _options;
    private readonly EventTypes _types;
    private readonly string _prefix;

    /// <param name="redis">Kept by the caller, who disposes it. Connect with <c>abortConnect=false</c>, so that Redis may be away.</param>
    /// <param name="prefix">In front of every key, such as <c>streamrec:</c>.</param>
    /// <param name="options">Limits; defaults where null.</param>
    /// <param name="types">Evidence weights for trending; the default types where null.</param>
    public RedisGraph(IConnectionMultiplexer redis, string prefix, RedisGraphOptions? options = null, EventTypes? types = null)
    {
        if (prefix.AsSpan().IndexOfAny('{', '}') >= 0)
            throw new ArgumentException($"the Redis key prefix '{prefix}' contains a brace, which would change the keys' cluster slots", nameof(prefix));
        (_redis, _prefix, _options, _types) = (redis, prefix, options ?? new RedisGraphOptions(), types ?? EventTypes.Default);
    }

    private IDatabase Database => _redis.GetDatabase();

    private RedisKey History(string userId) => $"{_prefix}history:{{{userId}}}";

    private RedisKey Latest(string userId) => $"{_prefix}latest:{{{userId}}}";

    private RedisKey State(int partition) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{p{partition}}}:state");

    private string Trend(int partition) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{p{partition}}}:trend:");

    private RedisKey Partitions => _prefix + "partitions";

    /// <summary>Whether an exception means that Redis is away or unwell, as opposed to a mistake of ours.</summary>
    public static bool IsOutage(Exception e) => e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException;
}
