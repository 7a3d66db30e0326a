using Npgsql;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

public sealed class PostgresGraphTests(Servers servers)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private async Task<(PostgresGraph Graph, NpgsqlDataSource Source)> NewAsync([System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var source = await servers.NewSchemaAsync(test, Stop);
        var graph = new PostgresGraph(source);
        await graph.MigrateAsync(Stop);
        await graph.ClaimAsync(TestEvents.Topic, 0, 0, Stop);
        return (graph, source);
    }

    [Fact]
    public async Task Migrating_twice_and_at_once_changes_nothing()
    {
        var (graph, source) = await NewAsync();
        await Task.WhenAll(graph.MigrateAsync(Stop), new PostgresGraph(source).MigrateAsync(Stop));
        Assert.Equal(new GraphStats(0, 0, 0, 0), await graph.StatsAsync(Stop));
    }

    [Fact]
    public async Task A_batch_is_applied_with_exact_counts_and_edges()
    {
        var (graph, source) = await NewAsync();
        var e = new Interaction(1, "u", "i", 1, float.NaN, TestEvents.Start);
        var result = await graph.ApplyAsync(TestEvents.Batch(0,
        [
            e, e with { EventId = 2, Type = 5, Value = 3, TimeMs = TestEvents.Start + 10 }, e with { EventId = 3, Type = 7, TimeMs = TestEvents.Start - 10 },
            e, e with { EventId = 4, ItemId = "j" },
        ]), Stop);

        Assert.Equal((4L, 1L), (result.Applied, result.Duplicates));
        Assert.Equal([0L, 1L, 2L, 4L], result.Fresh!.Order());
        Assert.Equal(new GraphStats(1, 2, 4, 2), await graph.StatsAsync(Stop));
        Assert.Equal(5, (await graph.NextOffsetsAsync(TestEvents.Topic, Stop))[0]);
        Assert.Equal(new PartitionProgress(0, 5, 4, 1, 0), Assert.Single(await graph.ProgressAsync(TestEvents.Topic, Stop)));
        await using var query = source.CreateCommand(
            "select weight, first_ms, last_ms, count, last_type from edges join items using (item_key) where item_id = 'i'");
        await using var row = await query.ExecuteReaderAsync(Stop);
        Assert.True(await row.ReadAsync(Stop));
        Assert.Equal(
            (200L, TestEvents.Start - 10, TestEvents.Start + 10, 3, (short)5),
            (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2), row.GetInt32(3), row.GetInt16(4)));
        var recent = await graph.RecentAsync("u", 2, Stop);
        Assert.Equal(new RecentEvent("i", 5, 3, TestEvents.Start + 10), recent[0]);
        Assert.Equal(2, recent.Count);
    }

    [Fact]
    public async Task A_replayed_batch_is_refused_and_replayed_events_leave_the_graph_unchanged()
    {
        var (graph, source) = await NewAsync();
        var events = TestEvents.Many(5000);
        await graph.ApplyAsync(TestEvents.Batch(0, events), Stop);
        var (digest, edges) = (await graph.DigestAsync(Stop), await EdgesAsync(source));

        await Assert.ThrowsAsync<FencedException>(() => graph.ApplyAsync(TestEvents.Batch(0, events), Stop));
        var again = await graph.ApplyAsync(TestEvents.Batch(5000, events.Reverse()), Stop);

        Assert.Equal((0L, 5000L), (again.Applied, again.Duplicates));
        Assert.Equal(digest, await graph.DigestAsync(Stop));
        Assert.Equal(edges, await EdgesAsync(source));
        Assert.Equal(GraphDigest.Of(events).ToString(), digest);
    }

    [Fact]
    public async Task Order_batches_and_writers_do_not_change_the_graph()
    {
        var (one, oneSource) = await NewAsync();
        var (two, twoSource) = await NewAsync();
        var events = TestEvents.Many(4000);
        foreach (var (chunk, n) in events.Chunk(700).Select((c, n) => (c, n)))
            await one.ApplyAsync(TestEvents.Batch(n * 700, chunk), Stop);

        // Four writers of their own caches, each with a quarter of the same events in another order.
        var shuffled = (Interaction[])events.Clone();
        new Random(7).Shuffle(shuffled);
        await Task.WhenAll(shuffled.Chunk(1000).Select(async (chunk, partition) =>
        {
            var writer = new PostgresGraph(twoSource);
            await writer.ClaimAsync(TestEvents.Topic, partition, 0, Stop);
            var at = 0L;
            foreach (var part in chunk.Chunk(90))
            {
                await writer.ApplyAsync(TestEvents.Batch(at, part, partition), Stop);
                at += part.Length;
            }
        }));

        Assert.Equal(GraphDigest.Of(events).ToString(), await two.DigestAsync(Stop));
        Assert.Equal(await one.DigestAsync(Stop), await two.DigestAsync(Stop));
        Assert.Equal(await EdgesAsync(oneSource), await EdgesAsync(twoSource));
        var (a, b) = (await one.SnapshotAsync(cancellation: Stop), await two.SnapshotAsync(cancellation: Stop));
        Assert.Equal(a.Users, b.Users);
        Assert.Equal(a.User, b.User);
        Assert.Equal(a.Item, b.Item);
        Assert.Equal(a.TimeMs, b.TimeMs);
        Assert.Equal(4, b.NextOffsets.Count);
    }

    [Fact]
    public async Task A_fenced_zombie_aborts_and_leaves_no_trace()
    {
        var (graph, source) = await NewAsync();
        var zombie = new PostgresGraph(source);
        await graph.ApplyAsync(TestEvents.Batch(0, TestEvents.Many(100)), Stop);
        await graph.ApplyAsync(TestEvents.Batch(100, TestEvents.Many(100, seed: 2)), Stop);
        var digest = await graph.DigestAsync(Stop);

        var fenced = await Assert.ThrowsAsync<FencedException>(() => zombie.ApplyAsync(TestEvents.Batch(100, TestEvents.Many(50, seed: 3)), Stop));
        Assert.Contains("test.interactions.v1/0", fenced.Message, StringComparison.Ordinal);
        Assert.Equal(digest, await graph.DigestAsync(Stop));
        Assert.Equal(200, (await graph.NextOffsetsAsync(TestEvents.Topic, Stop))[0]);
    }

    [Fact]
    public async Task Dead_letters_are_counted_once_with_the_offset()
    {
        var (graph, _) = await NewAsync();
        var batch = new InteractionBatch(TestEvents.Topic, 0);
        batch.Reset(0);
        batch.AddDeadLetter(0, DeadLetterReason.MalformedJson);
        batch.AddDeadLetter(1, DeadLetterReason.MalformedJson);
        batch.AddDeadLetter(2, DeadLetterReason.BadTime);
        await graph.ApplyAsync(batch, Stop);
        await Assert.ThrowsAsync<FencedException>(() => graph.ApplyAsync(batch, Stop));
        Assert.Equal(new Dictionary<string, long> { ["bad_time"] = 1, ["malformed_json"] = 2 }, await graph.DeadLetterCountsAsync(Stop));
    }

    [Fact]
    public async Task An_erase_removes_one_person_and_stale_keys_are_refused()
    {
        var (graph, source) = await NewAsync();
        var other = new PostgresGraph(source);
        var events = TestEvents.Many(500, users: 5);
        await other.ApplyAsync(TestEvents.Batch(0, events), Stop); // fills the other writer's key cache

        var proof = await graph.EraseAsync("u3", cancellation: Stop);

        var left = events.Where(e => e.UserId != "u3").ToArray();
        Assert.Equal(GraphDigest.Of(events).ToString(), proof.DigestBefore);
        Assert.Equal(GraphDigest.Of(left).ToString(), proof.DigestAfter);
        Assert.Equal(events.Length - left.Length, proof.Removed["postgres.interactions"]);
        Assert.Empty(await graph.RecentAsync("u3", 10, Stop));

        // The other writer still remembers the erased key; its next batch must make the person anew instead of orphaning rows.
        var late = new Interaction(99, "u3", "i1", 1, float.NaN, TestEvents.Start);
        await other.ApplyAsync(TestEvents.Batch(500, [late]), Stop);
        Assert.Single(await graph.RecentAsync("u3", 10, Stop));
        Assert.Equal(GraphDigest.Of([.. left, late]).ToString(), await graph.DigestAsync(Stop));
        Assert.Equal(0, (await graph.EraseAsync("nobody", cancellation: Stop)).Removed.Values.Sum());
    }

    [Fact]
    public async Task Retention_drops_whole_months_and_late_events_bring_them_back()
    {
        var (graph, _) = await NewAsync();
        var old = new Interaction(1, "u", "i", 1, float.NaN, TestEvents.Start);
        var recent = old with { EventId = 2, TimeMs = TestEvents.Start + (90L * 24 * 3600 * 1000) };
        await graph.ApplyAsync(TestEvents.Batch(0, [old, recent]), Stop);
        Assert.Empty(await graph.DropOldPartitionsAsync(0, Stop));
        Assert.Equal(["interactions_2023_11"], await graph.DropOldPartitionsAsync(recent.TimeMs, Stop));
        Assert.Equal(1, (await graph.StatsAsync(Stop)).Interactions);
        await graph.ApplyAsync(TestEvents.Batch(2, [old with { EventId = 3 }]), Stop);
        Assert.Equal(2, (await graph.StatsAsync(Stop)).Interactions);
    }

    [Fact]
    public async Task Items_and_users_are_upserted_withdrawn_and_erased()
    {
        var (graph, source) = await NewAsync();
        await graph.ClaimAsync("items", 0, 0, Stop);
        await graph.ClaimAsync("users", 0, 0, Stop);
        var item = new ItemRecord
        {
            ItemId = "i1", Title = "T\0itle", Text = "text", Categories = ["a"], Attributes = new Dictionary<string, string> { ["k"] = "v" },
            PublishedAt = DateTimeOffset.UnixEpoch,
        };
        await graph.ItemsAsync(new("items", 0, 0, 3, [new("i1", item), new("i2", item with { ItemId = "i2" }), new("i2", null)]), Stop);
        Assert.Equivalent(item with { Title = "Title" }, (await graph.CatalogueAsync(Stop))[0]);
        Assert.Equal([new("i1", "Title")], await graph.TitlesAsync(["i1", "i3", "i1"], Stop));
        await graph.ItemsAsync(new("items", 0, 3, 4, [new("i1", null)]), Stop);
        Assert.False((await graph.CatalogueAsync(Stop))[0].Available);
        await Assert.ThrowsAsync<FencedException>(() => graph.ItemsAsync(new("items", 0, 3, 4, []), Stop));

        await graph.ApplyAsync(TestEvents.Batch(0, TestEvents.Many(100, users: 3)), Stop);
        var erased = new List<string>();
        await graph.UsersAsync(
            new("users", 0, 0, 2, [new("u1", null), new("u9", new UserRecord { UserId = "u9" })]),
            proof =>
            {
                erased.Add(proof.UserId);
                return Task.CompletedTask;
            }, Stop);
        Assert.Equal(["u1"], erased);
        Assert.Empty(await graph.RecentAsync("u1", 10, Stop));
        await using var ids = source.CreateCommand("select string_agg(user_id, ',' order by user_id) from users");
        Assert.Equal("u0,u2,u9", await ids.ExecuteScalarAsync(Stop));
    }

    [Fact]
    public async Task A_gap_of_the_log_is_read_back_in_order()
    {
        var (graph, _) = await NewAsync();
        var events = TestEvents.Many(300);
        await graph.ApplyAsync(TestEvents.Batch(0, events), Stop);
        var gap = new List<LoggedInteraction>();
        await foreach (var row in graph.FromLogAsync(0, 100, 250, Stop))
            gap.Add(row);
        Assert.Equal(Enumerable.Range(100, 150).Select(i => (long)i), gap.Select(r => r.Offset));
        Assert.Equal(events[100..250], gap.Select(r => r.Event));
    }

    [Fact]
    public async Task A_batch_survives_a_connection_killed_in_the_middle()
    {
        var (_, migrated) = await NewAsync();
        var name = new NpgsqlConnectionStringBuilder(migrated.ConnectionString).SearchPath!;
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(servers.Postgres) { SearchPath = name, ApplicationName = name });
        var graph = new PostgresGraph(source);
        var all = TestEvents.Many(20_000, users: 2000);
        var at = 0L;
        await using var admin = NpgsqlDataSource.Create(servers.Postgres);
        foreach (var chunk in all.Chunk(500))
        {
            // Kills whatever works in this test's schema while the batch is on its way: its sessions carry the schema's name.
            var apply = graph.ApplyAsync(TestEvents.Batch(at, chunk), Stop);
            for (var kills = 0; kills < 3 && !apply.IsCompleted; kills++)
            {
                await using var kill = admin.CreateCommand(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and state = 'active'");
                kill.Parameters.Add(new() { Value = name });
                await kill.ExecuteNonQueryAsync(Stop);
            }

            Assert.Equal(chunk.Length, (await apply).Applied);
            at += chunk.Length;
        }

        Assert.Equal(GraphDigest.Of(all).ToString(), await graph.DigestAsync(Stop));
    }

    private static async Task<string> EdgesAsync(NpgsqlDataSource source)
    {
        await using var query = source.CreateCommand("""
            select md5(string_agg(concat_ws(',', user_id, item_id, weight, first_ms, last_ms, count, last_type), ';' order by user_id, item_id))
              from edges join users using (user_key) join items using (item_key)
            """);
        return (string)(await query.ExecuteScalarAsync(Stop))!;
    }
}
