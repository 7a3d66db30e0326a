using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Ingest;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>What a log may do to its readers: repeat, reorder, be read again, hold old events and events of people who are gone.</summary>
public sealed class DeliveryTests(Servers servers)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_message_delivered_twice_is_applied_once()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = TestEvents.Many(8000);
        await h.ProduceAsync(events, seed: 1, Enumerable.Range(0, 8000).SelectMany(i => (int[])(i % 2 == 0 ? [i, i] : [i])));
        h.StartWorker(h.Options with { MaxBatchEvents = 500 });
        await h.ProduceAsync(events, seed: 1, Enumerable.Range(0, 8000).Where(i => i % 2 == 1)); // repeats far behind their first
        await h.UntilDoneAsync(16_000);
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events, duplicates: 8000);
    }

    [Fact]
    public async Task Messages_shuffled_within_a_thousand_per_partition_give_the_same_graph()
    {
        await using var ordered = await Harness.StartAsync(servers);
        await using var shuffled = await Harness.StartAsync(servers);
        var events = TestEvents.Many(20_000);
        var byTime = Enumerable.Range(0, events.Length).OrderBy(i => events[i].TimeMs).ToArray();
        var random = new Random(7);
        await ordered.ProduceAsync(events, seed: 1, byTime);
        await shuffled.ProduceAsync(events, seed: 1, byTime.Chunk(8000).SelectMany(window => // 8 partitions, 1,000 of each
        {
            random.Shuffle(window);
            return window;
        }));
        ordered.StartWorker();
        shuffled.StartWorker(shuffled.Options with { MaxBatchEvents = 300 });
        await ordered.UntilDoneAsync(20_000);
        await shuffled.UntilDoneAsync(20_000);
        await ordered.StopWorkersAsync();
        await shuffled.StopWorkersAsync();
        await ordered.AssertExactlyOnceAsync(events);
        await shuffled.AssertExactlyOnceAsync(events);
        foreach (var user in (string[])["u1", "u77", "u199"])
            Assert.Equal(await ordered.Redis.RecentAsync(user, 100), await shuffled.Redis.RecentAsync(user, 100));
        Assert.Equal(await ordered.Redis.TrendingAsync(20), await shuffled.Redis.TrendingAsync(20));
    }

    [Fact]
    public async Task The_log_read_again_into_a_fresh_schema_from_an_offset_gives_the_same_digest()
    {
        await using var h = await Harness.StartAsync(servers);
        var first = await h.ProduceEventsAsync(2000, users: 40);
        h.StartWorker();
        await h.UntilDoneAsync(2000);
        var middle = (await h.Graph.NextOffsetsAsync(h.Topics.Interactions, Stop)).Values.Max();
        var second = await h.ProduceEventsAsync(3000, seed: 2, users: 40);
        await h.ProduceAsync(h.Topics.Users, "u5", null);
        await h.UntilDoneAsync(5000);
        await Harness.UntilAsync("u5 is gone", async () => (await h.Graph.RecentAsync("u5", 1, Stop)).Count == 0);
        await h.StopWorkersAsync();

        Assert.Equal(GraphDigest.Of(first.Concat(second).Where(e => e.UserId != "u5")).ToString(), await h.Graph.DigestAsync(Stop));
        Assert.Equal(await h.Graph.DigestAsync(Stop), await ReplayAsync(h, new ReplayFrom { Offset = 0 }, 5000));
        Assert.NotEqual(await h.Graph.DigestAsync(Stop), await ReplayAsync(h, new ReplayFrom { Offset = middle }, 1));
    }

    [Fact]
    public async Task The_log_read_again_from_a_time_gives_what_came_since()
    {
        servers.RequireRealKafka("offsets looked up by time");
        await using var h = await Harness.StartAsync(servers);
        await h.ProduceEventsAsync(2000, users: 40);
        var last = DateTimeOffset.UtcNow;
        await Harness.UntilAsync(
            "the log's clock, which counts milliseconds, has moved on",
            () => Task.FromResult(DateTimeOffset.UtcNow > last.AddMilliseconds(2)));
        var between = DateTimeOffset.UtcNow;
        var second = await h.ProduceEventsAsync(3000, seed: 2, users: 40);

        Assert.Equal(GraphDigest.Of(second).ToString(), await ReplayAsync(h, new ReplayFrom { Time = between }, 3000));
    }

    [Fact]
    public async Task While_postgres_takes_nothing_partitions_are_paused_and_the_backlog_stays_on_the_log()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(30_000);
        await using var connection = await h.Source.OpenConnectionAsync(Stop);
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await using (var hold = new Npgsql.NpgsqlCommand("lock table edges in access exclusive mode", connection))
            await hold.ExecuteNonQueryAsync(Stop);

        var worker = h.StartWorker(h.Options with { MaxBatchEvents = 100, MaxWaitingBatches = 2 });
        await Harness.UntilAsync("the whole backlog is seen", () => Task.FromResult(worker.Stats is { Lag: 30_000, Waiting: > 1000 }));
        Assert.InRange(worker.Stats.Waiting, 1, 8 * 3 * 100); // two batches waiting and one being filled, of each partition
        Assert.Equal(0, worker.Stats.Applied);

        await transaction.RollbackAsync(Stop);
        await h.UntilDoneAsync(events.Length);
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events);
    }

    [Fact]
    public async Task Events_older_than_the_retention_are_set_aside_and_their_partitions_dropped()
    {
        await using var h = await Harness.StartAsync(servers);
        var now = DateTimeOffset.UtcNow;
        await h.Graph.ClaimAsync(TestEvents.Topic, 0, 0, Stop);
        var old = new Interaction(1, "u", "i", 1, float.NaN, now.AddDays(-100).ToUnixTimeMilliseconds());
        await h.Graph.ApplyAsync(TestEvents.Batch(0, [old, old with { EventId = 2, TimeMs = now.AddHours(-1).ToUnixTimeMilliseconds() }]), Stop);
        var worker = h.StartWorker(h.Options with { Retention = TimeSpan.FromDays(35) });
        await Harness.UntilAsync("the old month is dropped", async () => (await h.Graph.StatsAsync(Stop)).Interactions == 1);
        await h.ProduceAsync([old with { EventId = EventIds.Hash(TestEvents.EventId(1, 0)) }], 1, [0]);
        await h.UntilDoneAsync(1);
        await h.StopWorkersAsync();
        Assert.Equal(1, worker.Stats.DeadLetters[DeadLetterReason.TooOld]);
        Assert.Equal(1, (await h.Graph.StatsAsync(Stop)).Interactions);
        Assert.Equal("too_old", Assert.Single(await new DeadLetters(h.Options).ListAsync(new DeadLetterFilter(), Stop).ToListAsync(Stop)).Reason);
    }

    [Fact]
    public async Task An_event_that_reached_the_log_before_its_person_was_erased_does_not_bring_them_back_however_late_it_is_read()
    {
        await using var h = await Harness.StartAsync(servers);
        await h.ProduceEventsAsync(500, users: 3); // on the log, read by nobody yet
        var erased = DateTimeOffset.UtcNow;
        await h.Graph.EraseAsync("u1", erased, cancellation: Stop);
        var worker = h.StartWorker();
        await h.UntilDoneAsync(500);
        var late = TestEvents.Many(500, users: 3).Count(e => e.UserId == "u1");
        Assert.Equal(late, worker.Stats.DeadLetters[DeadLetterReason.Erased]);
        Assert.Empty(await h.Graph.RecentAsync("u1", 1, Stop));
        Assert.Empty(await new DeadLetters(h.Options).ListAsync(new DeadLetterFilter(), Stop).ToListAsync(Stop));

        // Who comes back is a new, empty person.
        await Harness.UntilAsync("the log's clock has moved on", () => Task.FromResult(DateTimeOffset.UtcNow > erased.AddMilliseconds(1)));
        await h.ProduceAsync(
            h.Topics.Interactions, "u1",
            """{"event_id":"again","user_id":"u1","item_id":"i1","type":"view","time":1700000000000}"""u8.ToArray());
        await h.UntilDoneAsync(501);
        await h.StopWorkersAsync();
        Assert.Equal("i1", Assert.Single(await h.Graph.RecentAsync("u1", 10, Stop)).ItemId);
        await h.UntilRedisFollowsAsync();
        Assert.Single(await h.Redis.RecentAsync("u1"));
    }

    /// <summary>The digest of a fresh schema after <c>run ingest --from-…</c> on another test's log.</summary>
    private async Task<string> ReplayAsync(Harness log, ReplayFrom from, long until)
    {
        await using var fresh = await log.FreshSchemaAsync();
        var worker = new IngestWorker(fresh.Options, fresh.Graph, fresh.Redis, EventTypes.Default, NullLoggerFactory.Instance, from);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var run = worker.RunAsync(stop.Token);
        await fresh.UntilDoneAsync(until);
        await Harness.UntilAsync("the log's end is reached", () => Task.FromResult(worker.Stats.LagByPartition.Count == 8 && worker.Stats.Lag == 0));
        await stop.CancelAsync();
        await run;
        return await fresh.Graph.DigestAsync(Stop);
    }
}
