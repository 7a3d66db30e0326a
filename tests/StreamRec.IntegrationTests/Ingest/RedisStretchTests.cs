using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>Redis shows the same however the log is cut into batches and however many of them reach it at a time.</summary>
public sealed class RedisStretchTests(Servers servers)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Any_way_of_cutting_a_log_into_stretches_leaves_the_same_in_redis(int seed)
    {
        await using var h = await Harness.StartAsync(servers);
        var random = new Random(seed);
        var late = 12L * 24 * 3600 * 1000;
        var events = TestEvents.Many(6000, seed, users: 700, items: 3000).OrderBy(e => e.TimeMs + random.NextInt64(late));
        var rows = new List<LoggedInteraction>();
        foreach (var e in events)
        {
            var gap = random.Next(50) == 0 ? random.Next(200) : 0; // dead letters, lost input
            rows.Add(new LoggedInteraction((rows.Count == 0 ? 0 : rows[^1].Offset + 1) + gap, e));
        }

        // Stretches span more buckets than are kept, and buckets hold more items than are added at a time.
        var options = new RedisGraphOptions { TrendBucket = TimeSpan.FromDays(10), TrendBuckets = 2, HistoryLimit = 8 };
        var next = rows[^1].Offset + 1;
        await ApplyAsync("whole:", () => int.MaxValue);
        await ApplyAsync("cut:", () => random.Next(1, 900));
        await ApplyAsync("small:", () => random.Next(1, 60));

        var dump = await h.DumpRedisAsync();
        var whole = Of("whole:");
        Assert.Contains(whole, line => line.Contains("trend:", StringComparison.Ordinal));
        Assert.Contains(whole, line => line.Contains($"applied={next} ", StringComparison.Ordinal));
        Assert.Equal(whole, Of("cut:"));
        Assert.Equal(whole, Of("small:"));

        string[] Of(string name) => [.. dump.Where(l => l.StartsWith(h.Prefix + name, StringComparison.Ordinal)).Select(l => l[(h.Prefix + name).Length..])];

        async Task ApplyAsync(string name, Func<int> length)
        {
            var redis = new RedisGraph(h.Multiplexer, h.Prefix + name, options);
            var from = 0L;
            for (var i = 0; i < rows.Count;)
            {
                var stretch = rows.GetRange(i, Math.Min(length(), rows.Count - i));
                i += stretch.Count;
                var to = stretch[^1].Offset + 1;
                Assert.Equal(from, await redis.ApplyAsync(3, from, to, stretch));
                if (random.Next(4) == 0)
                    Assert.Equal(to, await redis.ApplyAsync(3, from, to, stretch)); // again: changes nothing
                from = to;
            }
        }
    }

    [Fact]
    public async Task A_person_written_by_two_at_once_keeps_what_both_brought()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = TestEvents.Many(4000, 1, users: 300);
        List<LoggedInteraction>[] halves = [[], []];
        for (var i = 0; i < events.Length; i++)
            halves[i % 2].Add(new LoggedInteraction(halves[i % 2].Count, events[i]));

        // As partitions 1 and 2: people of both.
        await Task.WhenAll(h.Redis.ApplyAsync(1, 0, 2000, halves[0]), h.Redis.ApplyAsync(2, 0, 2000, halves[1]));

        foreach (var user in events.GroupBy(e => e.UserId).Take(50))
        {
            var newest = user.GroupBy(e => (e.ItemId, e.Type, e.Value)).Select(g => g.Max(e => e.TimeMs)).OrderDescending().Take(100);
            Assert.Equal(newest, (await h.Redis.RecentAsync(user.Key, 100)).Select(e => e.TimeMs));
        }
    }

    [Fact]
    public async Task A_backlog_of_many_batches_leaves_redis_as_a_rebuild_does()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(20_000, users: 500);
        h.StartWorker(h.Options with { MaxBatchEvents = 60, MaxWaitingBatches = 20 });
        await h.UntilDoneAsync(events.Length);
        await h.AssertExactlyOnceAsync(events);
        await h.StopWorkersAsync();
    }
}
