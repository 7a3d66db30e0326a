using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Ingest;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

public sealed class IngestWorkerTests(Servers servers)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_record_is_applied_once_known_already_or_dead_lettered_with_its_reason()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(3000);
        Assert.Equal(events[..500], await h.ProduceEventsAsync(500)); // the first 500 again
        (string Key, string Value, string Reason)[] bad =
        [
            ("k1", "{", "malformed_json"), ("k2", "", "malformed_json"), ("k3", """{"event_id":"x"}""", "missing_field"),
            ("k4", """{"event_id":"x","user_id":"u","item_id":"i","type":"stare","time":1}""", "unknown_type"),
            ("k5", """{"event_id":"x","user_id":"u\u0000","item_id":"i","type":"view","time":1}""", "bad_id"),
            ("k6", """{"event_id":"x","user_id":"u","item_id":"i","type":"view","time":99999999999999}""", "future_time"),
            ("k7", """{"event_id":"x","user_id":"u","item_id":"i","type":"view","time":"soon"}""", "bad_time"),
            ("k8", """{"event_id":"x","user_id":"u","item_id":"i","type":"view","time":1,"value":"five"}""", "bad_value"),
            ("k9", new string(' ', 70_000), "too_large"),
        ];
        foreach (var (key, value, _) in bad)
            await h.ProduceAsync(h.Topics.Interactions, key, Encoding.UTF8.GetBytes(value), ("traceparent", "t"));

        var worker = h.StartWorker();
        await h.UntilDoneAsync(3500 + bad.Length);
        await Harness.UntilAsync("lag is nil", () => Task.FromResult(worker.Stats.Lag == 0));
        await h.StopWorkersAsync();

        Assert.Equal(GraphDigest.Of(events).ToString(), await h.Graph.DigestAsync(Stop));
        Assert.Equal((3000L, 500L), (worker.Stats.Applied, worker.Stats.Duplicates));
        Assert.Equal(bad.GroupBy(b => b.Reason).ToDictionary(g => g.Key, g => (long)g.Count()), await h.Graph.DeadLetterCountsAsync(Stop));
        Assert.True(worker.Stats.Healthy);

        var letters = await new DeadLetters(h.Options).ListAsync(new DeadLetterFilter(), Stop).ToListAsync(Stop);
        Assert.Equal(
            bad.Select(b => (b.Key, b.Value, b.Reason)).Order(),
            letters.Select(l => (Encoding.UTF8.GetString(l.Key!), Encoding.UTF8.GetString(l.Value ?? []), l.Reason)).Order());
        Assert.All(letters, l => Assert.Equal((h.Topics.Interactions, 0, "traceparent"), (l.SourceTopic, l.Replays, Assert.Single(l.Headers).Key)));
    }

    [Fact]
    public async Task Redis_shows_what_postgres_knows_and_a_rebuild_gives_the_same()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(4000, users: 30);
        h.StartWorker();
        await h.UntilDoneAsync(4000);
        await h.StopWorkersAsync();

        var fromPostgres = await h.Graph.RecentAsync("u7", 20, Stop);
        Assert.Equal(fromPostgres.Select(e => e.TimeMs), (await h.Redis.RecentAsync("u7", 20)).Select(e => e.TimeMs));
        Assert.Equal(20, fromPostgres.Count);
        Assert.Subset(events.Where(e => e.UserId == "u7").Select(e => e.ItemId).ToHashSet(), (await h.Redis.SeenAsync("u7")).ToHashSet());
        Assert.NotEmpty(await h.Redis.TrendingAsync(10));

        var before = await h.DumpRedisAsync();
        await h.Redis.RebuildAsync(h.Graph, h.Topics.Interactions, cancellation: Stop);
        Assert.Equal(before, await h.DumpRedisAsync());
    }

    [Fact]
    public async Task Redis_flushed_in_the_middle_is_brought_up_to_date_from_postgres()
    {
        await using var h = await Harness.StartAsync(servers);
        h.StartWorker();
        await h.ProduceEventsAsync(2000, users: 30);
        await h.UntilDoneAsync(2000);
        await h.UntilRedisFollowsAsync();
        foreach (var line in await h.DumpRedisAsync())
            await h.Multiplexer.GetDatabase().KeyDeleteAsync(line.Split(' ')[0]);

        await h.ProduceEventsAsync(2000, seed: 2, users: 30);
        await h.UntilDoneAsync(4000);
        await h.UntilRedisFollowsAsync();
        await h.StopWorkersAsync();
        var live = await h.DumpRedisAsync();
        await h.Redis.RebuildAsync(h.Graph, h.Topics.Interactions, cancellation: Stop);
        Assert.Equal(live, await h.DumpRedisAsync());
    }

    [Fact]
    public async Task Cancelled_abruptly_again_and_again_the_digest_is_that_of_the_input()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(20_000);
        var abrupt = h.Options with { DrainTimeout = TimeSpan.Zero, MaxBatchEvents = 200 };
        for (var round = 1; round <= 4; round++)
        {
            h.StartWorker(abrupt);
            var until = round * 3000;
            await h.UntilDoneAsync(until);
            await h.StopWorkersAsync();
        }

        h.StartWorker();
        await h.UntilDoneAsync(20_000);
        await h.StopWorkersAsync();
        Assert.Equal(20_000, await h.DoneAsync());
        Assert.Equal(GraphDigest.Of(events).ToString(), await h.Graph.DigestAsync(Stop));
    }

    [Fact]
    public async Task Two_workers_share_the_partitions_and_survive_each_others_coming_and_going()
    {
        await using var h = await Harness.StartAsync(servers);
        var first = h.StartWorker(h.Options with { MaxBatchEvents = 300 });
        var events = await h.ProduceEventsAsync(10_000);
        var second = h.StartWorker(h.Options with { MaxBatchEvents = 300 });
        var more = await h.ProduceEventsAsync(10_000, seed: 2);
        await h.UntilDoneAsync(20_000);
        await h.StopWorkersAsync();
        Assert.Equal(20_000, await h.DoneAsync());
        Assert.Equal(GraphDigest.Of([.. events, .. more]).ToString(), await h.Graph.DigestAsync(Stop));
        Assert.True(first.Stats.Healthy && second.Stats.Healthy);
    }

    [Fact]
    public async Task Items_and_users_flow_in_and_an_erase_leaves_no_trace()
    {
        await using var h = await Harness.StartAsync(servers);
        var worker = h.StartWorker();
        await h.ProduceEventsAsync(1000, users: 10);
        await h.ProduceAsync(h.Topics.Items, "i1", Json.Encode(new ItemRecord { ItemId = "i1", Title = "One" }));
        await h.ProduceAsync(h.Topics.Items, "i2", Json.Encode(new ItemRecord { ItemId = "i2", Title = "Two" }));
        await h.ProduceAsync(h.Topics.Items, "i2", null);
        await h.ProduceAsync(h.Topics.Items, "i3", "nonsense"u8.ToArray());
        await h.ProduceAsync(
            h.Topics.Users, "u3",
            Json.Encode(new UserRecord { UserId = "u3", Attributes = new Dictionary<string, string> { ["name"] = "u3" } }));
        await h.UntilDoneAsync(1001);
        await Harness.UntilAsync("the catalogue is in", () => Task.FromResult(worker.Stats is { Items: >= 3, Users: >= 1 }));
        Assert.Equal([new("i1", "One")], await h.Graph.TitlesAsync(["i1"], Stop));
        Assert.False((await h.Graph.CatalogueAsync(Stop)).Single(i => i.ItemId == "i2").Available);
        Assert.Equal(1, worker.Stats.DeadLetters[DeadLetterReason.MalformedJson]);
        await h.Redis.SetLatestAsync("u3", "[]"u8.ToArray());
        await Harness.UntilAsync("u3 is in Redis", async () => (await h.DumpRedisAsync()).Any(l => l.Contains("{u3}", StringComparison.Ordinal)));

        await h.ProduceAsync(h.Topics.Users, "u3", null);
        await Harness.UntilAsync("u3 is erased", () => Task.FromResult(worker.Stats.Erased == 1));
        await h.StopWorkersAsync();

        Assert.DoesNotContain(await h.DumpRedisAsync(), l => l.Contains("u3", StringComparison.Ordinal));
        await using var tables = h.Source.CreateCommand(
            "select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')");
        var names = new List<string>();
        await using (var reader = await tables.ExecuteReaderAsync(Stop))
        {
            while (await reader.ReadAsync(Stop))
                names.Add(reader.GetString(0));
        }

        foreach (var name in names)
        {
            await using var scan = h.Source.CreateCommand($"select count(*) from \"{name}\" t where t::text ~ '\\mu3\\M'");
            Assert.True(await scan.ExecuteScalarAsync(Stop) is 0L, $"table {name} still names the erased person");
        }

        Assert.Equal(9, (await h.Graph.StatsAsync(Stop)).Users);
    }

    [Fact]
    public async Task A_dead_letter_is_replayed_after_a_fix_and_one_still_bad_comes_back_with_a_counter()
    {
        await using var h = await Harness.StartAsync(servers);
        await h.ProduceAsync(h.Topics.Interactions, "u", """{"event_id":"e1","user_id":"u","item_id":"i","type":"wish","time":1700000000000}"""u8.ToArray());
        await h.ProduceAsync(h.Topics.Interactions, "u", "junk"u8.ToArray());
        h.StartWorker();
        await h.UntilDoneAsync(2);
        await h.StopWorkersAsync();

        var letters = new DeadLetters(h.Options);
        Assert.Equal((2L, 0L), await letters.ReplayAsync(new DeadLetterFilter { MaxReplays = 0 }, Stop));
        var wishes = new EventTypes([.. EventTypes.Default.All, new EventType(9, "wish", 0.5f)]);
        var fixedWorker = new IngestWorker(h.Options, h.Graph, h.Redis, wishes, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var run = fixedWorker.RunAsync(stop.Token);
        await h.UntilDoneAsync(4);
        await stop.CancelAsync();
        await run;

        Assert.Equal(1, fixedWorker.Stats.Applied);
        var again = Assert.Single(
            await letters.ListAsync(new DeadLetterFilter { Reason = "malformed_json" }, Stop)
                .Where(l => l.Replays == 1)
                .ToListAsync(Stop));
        Assert.Equal("junk", Encoding.UTF8.GetString(again.Value!));
        Assert.Equal(again.SourceOffset, (await letters.ShowAsync(again.Partition, again.Offset, Stop))!.SourceOffset);
    }

    [Fact]
    [Trait(Servers.Needs, Servers.RealKafka)]
    public async Task Input_the_broker_dropped_is_counted_and_makes_ingest_unhealthy()
    {
        servers.RequireRealKafka("records deleted below an offset");
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(500, users: 1); // one user: one partition
        var first = h.StartWorker();
        await h.UntilDoneAsync(500);
        await h.StopWorkersAsync();
        await h.ProduceEventsAsync(300, seed: 2, users: 1);
        var partition = (await h.Graph.ProgressAsync(h.Topics.Interactions, Stop)).Single(p => p.NextOffset > 0).Partition;
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = h.Options.BootstrapServers }).SetLogHandler((_, _) => { }).Build();
        await admin.DeleteRecordsAsync([new TopicPartitionOffset(h.Topics.Interactions, partition, 700)], new DeleteRecordsOptions());

        var second = h.StartWorker();
        await h.UntilDoneAsync(600);
        await h.StopWorkersAsync();
        Assert.Equal((200L, false), (second.Stats.Lost, second.Stats.Healthy));
        Assert.Equal(200, (await h.Graph.ProgressAsync(h.Topics.Interactions, Stop)).Sum(p => p.Lost));
        Assert.True(first.Stats.Healthy);
        Assert.Equal(500, events.Length);
    }
}
