using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>Ingest as processes that are killed, stopped, and come and go. Each test ends on the digest of the input.</summary>
[Collection(Faults.Name)]
public sealed class ProcessFaultTests(FaultServers servers)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killed_20_times_at_random_moments_of_one_replay_nothing_is_lost_or_doubled()
    {
        const int kills = 20, perRound = 1500;
        await using var h = await Harness.StartAsync(servers);
        var random = new Random(4711);
        var events = new List<Interaction>();
        for (var round = 1; round <= kills; round++)
        {
            // Small batches, so that a kill meets one in every state; produced meanwhile, so that there is always one.
            await using var ingest = await IngestProcess.StartAsync(h, ["INGEST__MAXBATCHEVENTS=40"]);
            events.AddRange(await h.ProduceEventsAsync(perRound, seed: round));
            var until = events.Count - perRound + random.Next(1, perRound);
            await h.UntilDoneAsync(until);
            Thread.SpinWait(random.Next(200_000)); // anywhere within the batch, not only after its commit was seen
            Assert.False(ingest.HasExited, ingest.Log);
            await ingest.KillAsync();
        }

        h.StartWorker();
        await h.UntilDoneAsync(events.Count);
        await h.UntilRedisFollowsAsync();
        await h.StopWorkersAsync();
        await h.AssertExactlyOnceAsync(events);
    }

    [Fact]
    public async Task Two_processes_share_the_partitions_while_one_comes_and_goes_and_a_term_signal_drains()
    {
        await using var h = await Harness.StartAsync(servers);
        string[] settings = ["INGEST__MAXBATCHEVENTS=100"];
        await using var stays = await IngestProcess.StartAsync(h, settings);
        var events = new List<Interaction>();
        for (var round = 1; round <= 4; round++)
        {
            await using var comes = await IngestProcess.StartAsync(h, settings);
            await Task.WhenAll(Produce(round), comes.UntilLogsAsync("Assigned " + h.Topics.Interactions));
            Assert.Equal(0, await comes.EndAsync());
            Assert.Contains("Draining", comes.Log, StringComparison.Ordinal);
        }

        await h.UntilDoneAsync(events.Count);
        await h.UntilRedisFollowsAsync();
        Assert.Contains("Revoked " + h.Topics.Interactions, stays.Log, StringComparison.Ordinal);
        Assert.Equal(0, await stays.EndAsync());
        await h.AssertExactlyOnceAsync(events);

        async Task Produce(int round)
        {
            for (var part = 0; part < 10; part++)
                events.AddRange(await h.ProduceEventsAsync(400, seed: (round * 100) + part));
        }
    }

    [Fact]
    public async Task A_stopped_process_that_wakes_after_its_partitions_moved_changes_nothing()
    {
        await using var h = await Harness.StartAsync(servers);
        string[] settings = ["INGEST__MAXBATCHEVENTS=50"];
        await using var zombie = await IngestProcess.StartAsync(h, settings);
        var events = new List<Interaction>(await h.ProduceEventsAsync(6000));
        await h.UntilDoneAsync(1000); // in the middle of its work
        await zombie.SignalAsync("STOP");
        Assert.True(await h.DoneAsync() < events.Count, "the process was stopped too late");

        await using var heir = await IngestProcess.StartAsync(h, settings);
        await h.UntilDoneAsync(events.Count);
        await zombie.SignalAsync("CONT");
        events.AddRange(await h.ProduceEventsAsync(3000, seed: 2));
        await Harness.UntilAsync("the zombie knows", () => Task.FromResult(
            zombie.Log.Contains("Lost " + h.Topics.Interactions, StringComparison.Ordinal) || zombie.Log.Contains("Fenced on", StringComparison.Ordinal)));
        await h.UntilDoneAsync(events.Count);
        await h.UntilRedisFollowsAsync();
        Assert.Equal((0, 0), (await zombie.EndAsync(), await heir.EndAsync()));
        await h.AssertExactlyOnceAsync(events);
    }
}
