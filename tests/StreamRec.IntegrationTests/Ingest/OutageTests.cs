using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>Servers that die, forget or fill up under a running ingest. Each test ends on the digest of the input.</summary>
[Collection(Faults.Name)]
public sealed class OutageTests(FaultServers servers)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Postgres_killed_and_restarted_in_the_middle_loses_and_doubles_nothing()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = await h.ProduceEventsAsync(20_000);
        var worker = h.StartWorker(h.Options with { MaxBatchEvents = 100 });
        for (var kill = 1; kill <= 3; kill++)
        {
            await h.UntilDoneAsync(kill * 3000);
            await servers.Running.KillPostgresAsync();
            await Harness.UntilAsync("ingest says that Postgres is away", () => Task.FromResult(!worker.Stats.Healthy));
            await servers.Running.RestartPostgresAsync(Stop);
        }

        await h.UntilDoneAsync(events.Length);
        await Harness.UntilAsync("ingest is healthy again", () => Task.FromResult(worker.Stats.Healthy));
        await h.UntilRedisFollowsAsync();
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events);
    }

    [Fact]
    public async Task Redis_flushed_and_then_killed_for_a_while_is_brought_up_to_date_and_never_holds_ingest_up()
    {
        await using var h = await Harness.StartAsync(servers);
        var events = new List<Interaction>(await h.ProduceEventsAsync(5000));
        var worker = h.StartWorker(h.Options with { MaxBatchEvents = 200 });
        await h.UntilDoneAsync(2000);
        await h.Multiplexer.GetServer(h.Multiplexer.GetEndPoints()[0]).FlushAllDatabasesAsync();
        await h.UntilDoneAsync(events.Count);

        await servers.Running.KillRedisAsync();
        events.AddRange(await h.ProduceEventsAsync(5000, seed: 2));
        await h.UntilDoneAsync(events.Count); // with Redis away
        await Harness.UntilAsync("Redis is known to be behind", () => Task.FromResult(worker.Stats.RedisBehind > 0));
        await servers.Running.RestartRedisAsync(Stop);

        await h.UntilRedisFollowsAsync();
        await Harness.UntilAsync("Redis is known to be in step", () => Task.FromResult(worker.Stats.RedisBehind == 0));
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events);
    }

    [Fact]
    [Trait(Servers.Needs, Servers.RealKafka)]
    public async Task The_broker_killed_and_restarted_in_the_middle_loses_and_doubles_nothing()
    {
        servers.RequireRealKafka("a broker that comes back with its log");
        await using var h = await Harness.StartAsync(servers);
        var events = new List<Interaction>(await h.ProduceEventsAsync(10_000));
        h.StartWorker(h.Options with { MaxBatchEvents = 100 });
        await h.UntilDoneAsync(2000);
        await servers.Running.KillKafkaAsync();
        var more = h.ProduceEventsAsync(5000, seed: 2); // waits in the producer
        await servers.Running.RestartKafkaAsync(Stop);
        events.AddRange(await more);

        await h.UntilDoneAsync(events.Count);
        await h.UntilRedisFollowsAsync();
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events);
    }

    [Fact]
    public async Task A_full_disk_stops_ingest_cleanly_and_room_lets_it_go_on()
    {
        await using var disk = await SmallDisk.MountAsync(12);
        await using var h = await Harness.StartAsync(servers, schema => disk.UseForAsync(schema, Stop));
        var events = await h.ProduceEventsAsync(60_000, users: 5000);
        var worker = h.StartWorker();
        await Harness.UntilAsync(
            "ingest says that the disk is full",
            () => Task.FromResult(worker.Stats.LastError?.Contains("No space left", StringComparison.Ordinal) == true));
        var stopped = await h.DoneAsync();
        Assert.InRange(stopped, 1, events.Length - 1);

        await disk.ResizeAsync(256);
        await h.UntilDoneAsync(events.Length);
        await Harness.UntilAsync("ingest is healthy again", () => Task.FromResult(worker.Stats.Healthy));
        await h.UntilRedisFollowsAsync();
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events);
    }
}
