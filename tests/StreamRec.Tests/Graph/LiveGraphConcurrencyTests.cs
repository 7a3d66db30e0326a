using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.Graph;

public class LiveGraphConcurrencyTests
{
    private const int Users = 50;
    private const int Items = 40;

    /// <summary>Every edge carries its own check: item, type, value and time are functions of one number.</summary>
    private static void AddChecked(LiveGraph graph, int n)
        => graph.Add(n % Users, Item(n), (byte)(1 + (n % 30)), n % 1000, n);

    private static int Item(int n) => (int)((uint)n * 2654435761u >> 16) % Items;

    private static bool IsWhole(int user, UserEvent e)
        => e.TimeMs % Users == user && e.Item == Item((int)e.TimeMs) && e.Type == 1 + (e.TimeMs % 30) && e.Value == e.TimeMs % 1000;

    [Fact]
    public async Task Readers_never_see_a_torn_edge_while_segments_freeze_and_drop()
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 4_000 });
        var ct = TestContext.Current.CancellationToken;
        const int Edges = 400_000; // 100 windows, so the storage tags wrap several times
        using var started = new CountdownEvent(3);
        using var go = new ManualResetEventSlim();
        var done = 0;
        var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(() =>
        {
            var (recent, users, reads) = (new UserEvent[300], new int[300], 0);
            started.Signal();
            go.Wait(ct);
            for (var i = reader; Volatile.Read(ref done) == 0 || i < reader + 200; i++, reads++)
            {
                var user = i % Users;
                foreach (var e in recent.AsSpan(0, graph.Recent(user, recent)))
                    Assert.True(IsWhole(user, e), $"user {user} has a torn edge {e}");
                foreach (var u in users.AsSpan(0, graph.ItemUsers(i % Items, users)))
                    Assert.InRange(u, 0, Users - 1);
                graph.HasSeen(user, i % Items);
            }

            return reads;
        }, ct)).ToArray();
        var walker = Task.Run(() =>
        {
            var (walk, scratch, top, walks) = (new RandomWalker(graph), new WalkScratch(), new WalkCandidate[20], 0);
            started.Signal();
            go.Wait(ct);
            for (; Volatile.Read(ref done) == 0 || walks < 20; walks++)
            {
                foreach (var candidate in top.AsSpan(0, walk.Walk([(walks % Items, 1f)], new WalkOptions { Visits = 500 }, (ulong)walks, scratch, top)))
                    Assert.InRange(candidate.Item, 0, Items - 1);
            }

            return walks;
        }, ct);
        started.Wait(ct);
        go.Set();
        for (var n = 0; n < Edges; n++)
            AddChecked(graph, n);
        Volatile.Write(ref done, 1);
        Assert.All(await Task.WhenAll(readers), reads => Assert.True(reads >= 200));
        Assert.True(await walker >= 20);
        Assert.InRange(graph.EdgeCount, 3_500, 4_000);
    }

    [Fact]
    public async Task A_reader_finds_each_edge_whose_add_happened_before_even_during_a_freeze()
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 800 });
        var ct = TestContext.Current.CancellationToken;
        var published = -1;
        var done = 0;
        var reader = Task.Run(() =>
        {
            var recent = new UserEvent[1];
            while (Volatile.Read(ref done) == 0)
            {
                var n = Volatile.Read(ref published);
                if (n < 0)
                    continue;
                Assert.Equal(1, graph.Recent(n % Users, recent));
                Assert.True(recent[0].TimeMs >= n, $"edge {n} was added, the newest seen is {recent[0].TimeMs}");
            }
        }, ct);
        for (var n = 0; n < 300_000; n++)
        {
            AddChecked(graph, n);
            Volatile.Write(ref published, n);
        }

        Volatile.Write(ref done, 1);
        await reader;
    }

    [Fact]
    public void A_reader_held_in_the_middle_of_its_work_does_not_hold_the_writer()
    {
        // The walker is stopped between two of its own calls while it keeps everything a reader can keep; the writer must get through many windows.
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 800 });
        for (var n = 0; n < 800; n++)
            AddChecked(graph, n);
        using var held = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        var reader = new Thread(() =>
        {
            var recent = new UserEvent[100];
            graph.Recent(0, recent);
            held.Set();
            release.Wait();
            foreach (var e in recent.AsSpan(0, graph.Recent(0, recent)))
                Assert.True(IsWhole(0, e));
        });
        reader.Start();
        held.Wait(TestContext.Current.CancellationToken);
        for (var n = 800; n < 80_000; n++)
            AddChecked(graph, n);
        release.Set();
        reader.Join();
        Assert.InRange(graph.EdgeCount, 700, 800);
    }

    [Fact]
    public async Task Ids_can_be_looked_up_while_new_ones_are_given()
    {
        var graph = new LiveGraph(new LiveGraphOptions());
        var ct = TestContext.Current.CancellationToken;
        var done = 0;
        var reader = Task.Run(() =>
        {
            while (Volatile.Read(ref done) == 0)
            {
                var count = graph.UserCount;
                if (count > 0)
                    Assert.True(graph.TryGetUser(graph.UserId(count - 1), out var index) && index == count - 1);
            }
        }, ct);
        for (var i = 0; i < 100_000; i++)
            graph.InternUser($"user-{i}");
        Volatile.Write(ref done, 1);
        await reader;
    }
}
