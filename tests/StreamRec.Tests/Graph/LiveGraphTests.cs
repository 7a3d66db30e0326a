using FsCheck;
using FsCheck.Fluent;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.Graph;

public class LiveGraphTests
{
    private const int Users = 7;
    private const int Items = 9;

    /// <summary>One step of a random script: mostly adds, now and then an erasure.</summary>
    public readonly record struct Act(int User, int Item, byte Type, float Value, long TimeMs, bool Erase);

    private static readonly Gen<Act> Steps =
        from user in Gen.Choose(0, Users - 1)
        from item in Gen.Choose(0, Items - 1)
        from type in Gen.Choose(1, 8)
        from value in Gen.Elements(float.NaN, 1f, 4.5f, -3f, 19.99f)
        from time in Gen.Choose(0, 50)
        from erase in Gen.Frequency((60, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new Act(user, item, (byte)type, value, 1_000_000_000_000 + time, erase);

    [Theory]
    [InlineData(8)]
    [InlineData(40)]
    [InlineData(160)]
    [InlineData(100_000)]
    public void Any_script_of_adds_and_erasures_equals_the_naive_graph(int maxEdges)
    {
        var scripts = Gen.ArrayOf(Steps, 400).ToArbitrary();
        Check.One(Properties.Quick.WithMaxTest(60), Prop.ForAll(scripts, script => Run(script, maxEdges)));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(2_000)]
    public void Edges_added_at_once_are_those_added_one_by_one(int maxEdges)
    {
        var batches = Gen.ArrayOf(Gen.ArrayOf(Steps, 90), 5).ToArbitrary();
        Check.One(Properties.Quick.WithMaxTest(60), Prop.ForAll(batches, parts =>
        {
            var options = new LiveGraphOptions { MaxEdges = maxEdges };
            var (one, many) = (new LiveGraph(options), new LiveGraph(options));
            foreach (var part in parts)
            {
                foreach (var e in part)
                    one.Add(e.User, e.Item, e.Type, e.Value, e.TimeMs);
                many.Add(
                    [.. part.Select(e => e.User)], [.. part.Select(e => e.Item)],
                    [.. part.Select(e => e.Type)], [.. part.Select(e => e.Value)], [.. part.Select(e => e.TimeMs)]);
            }

            AssertSame(one, many);
        }));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(2_000)]
    public void A_loaded_graph_is_the_newest_edges_added_one_by_one(int maxEdges)
    {
        Check.One(Properties.Quick.WithMaxTest(60), Prop.ForAll(Gen.ArrayOf(Steps, 300).ToArbitrary(), events =>
        {
            var options = new LiveGraphOptions { MaxEdges = maxEdges };
            var one = new LiveGraph(options);
            foreach (var e in events[Math.Max(0, events.Length - maxEdges)..])
                one.Add(e.User, e.Item, e.Type, e.Value, e.TimeMs);
            AssertSame(one, LiveGraph.Load(
                new GraphSnapshot
                {
                    Users = [.. Enumerable.Range(0, Users).Select(u => $"u{u}")],
                    Items = [.. Enumerable.Range(0, Items).Select(i => new ItemRecord { ItemId = $"i{i}" })],
                    User = [.. events.Select(e => e.User)], Item = [.. events.Select(e => e.Item)], Type = [.. events.Select(e => e.Type)],
                    Value = [.. events.Select(e => e.Value)], TimeMs = [.. events.Select(e => e.TimeMs)], NextOffsets = new Dictionary<int, long>(),
                },
                options, TestContext.Current.CancellationToken));
        }));
    }

    [Fact]
    public void A_batch_with_an_edge_out_of_bounds_adds_none()
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 100, MaxItems = 10 });
        Assert.Throws<ArgumentOutOfRangeException>(() => graph.Add([1, 2], [3, 10], [1, 1], [1f, 1f], [5, 6]));
        Assert.Equal((0L, 0), (graph.EdgeCount, graph.Recent(1, new UserEvent[4])));
    }

    private static void AssertSame(LiveGraph one, LiveGraph other)
    {
        var (a, b) = (new UserEvent[500], new UserEvent[500]);
        for (var user = 0; user < Users; user++)
            Assert.Equal(a[..one.Recent(user, a)], b[..other.Recent(user, b)]);
        var (left, right) = (new int[500], new int[500]);
        for (var item = 0; item < Items; item++)
            Assert.Equal(left[..one.ItemUsers(item, left)], right[..other.ItemUsers(item, right)]);
        Assert.Equal(one.EdgeCount, other.EdgeCount);
    }

    [Fact]
    public void Segments_are_dropped_whole_and_the_tags_may_wrap()
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 80 });
        for (var i = 0; i < 10 * 300; i++)
        {
            graph.Add(i % 3, i % 11, 1, 1f, i);
            Assert.InRange(graph.EdgeCount, Math.Min(i + 1, 71), 80);
        }

        var recent = new UserEvent[200];
        var seen = Enumerable.Range(0, 3).SelectMany(u => recent[..graph.Recent(u, recent)]).Select(e => e.TimeMs).Order();
        Assert.Equal(Enumerable.Range(0, 80).Select(i => 2920L + i), seen);
    }

    [Fact]
    public void Recent_is_newest_first_and_a_late_event_takes_its_place_in_time()
    {
        var graph = new LiveGraph(new LiveGraphOptions());
        graph.Add(0, 1, 2, float.NaN, 1000);
        graph.Add(0, 2, 5, 3.5f, 3000);
        graph.Add(0, 3, 1, float.NaN, 2000);
        var recent = new UserEvent[10];
        Assert.Equal(3, graph.Recent(0, recent));
        Assert.Equal([2, 3, 1], recent[..3].Select(e => e.Item));
        Assert.Equal(new UserEvent(2, 5, 3.5f, 3000), recent[0]);
        Assert.Equal(0, graph.Recent(12345, recent));
    }

    [Fact]
    public void The_first_65536_values_are_kept_exactly_and_later_ones_to_8_bits()
    {
        var graph = new LiveGraph(new LiveGraphOptions());
        var recent = new UserEvent[1];
        for (var i = 0; i < 70_000; i++)
        {
            var value = i / 7f;
            graph.Add(0, 0, 1, value, i);
            graph.Recent(0, recent);
            Assert.InRange(recent[0].Value, value - (i < 65_536 ? 0 : value / 128), value);
        }
    }

    [Fact]
    public void An_erased_user_is_gone_from_every_direction_and_comes_back_as_somebody_new()
    {
        var graph = new LiveGraph(new LiveGraphOptions());
        var (ann, bob, tea) = (graph.InternUser("ann"), graph.InternUser("bob"), graph.InternItem("tea"));
        graph.Add(ann, tea, 1, 1f, 1);
        graph.Add(bob, tea, 1, 1f, 2);
        graph.Add(ann, tea, 1, 1f, 3);
        Assert.Equal(2, graph.RemoveUser(ann));
        Assert.Equal((1, 0, 1), (graph.EdgeCount, graph.UserDegree(ann), graph.ItemDegree(tea)));
        var users = new int[5];
        Assert.Equal([bob], users[..graph.ItemUsers(tea, users)]);
        Assert.False(graph.TryGetUser("ann", out _));
        Assert.Throws<KeyNotFoundException>(() => graph.UserId(ann));
        Assert.NotEqual(ann, graph.InternUser("ann"));
    }

    [Fact]
    public void Ids_are_dense_and_the_bound_is_named_when_it_is_hit()
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxUsers = 2000 });
        for (var i = 0; i < 2000; i++)
            Assert.Equal((i, i), (graph.InternUser($"u{i}"), graph.InternUser($"u{i}")));
        Assert.Equal("u1999", graph.UserId(1999));
        Assert.Contains("MaxUsers", Assert.Throws<InvalidOperationException>(() => graph.InternUser("one more")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => graph.Add(2000, 0, 1, 1f, 1));
    }

    [Fact]
    public void A_snapshot_loads_with_its_own_indexes()
    {
        var snapshot = new GraphSnapshot
        {
            Users = ["a", "b"],
            Items = [new ItemRecord { ItemId = "x" }, new ItemRecord { ItemId = "y" }],
            User = [1, 0],
            Item = [0, 1],
            Type = [1, 2],
            Value = [float.NaN, 5f],
            TimeMs = [10, 20],
            NextOffsets = new Dictionary<int, long>(),
        };
        var graph = LiveGraph.Load(snapshot, new LiveGraphOptions(), TestContext.Current.CancellationToken);
        Assert.True(graph.TryGetUser("b", out var b) && b == 1 && graph.HasSeen(b, 0) && !graph.HasSeen(b, 1));
        Assert.Equal((2L, 2, 2), (graph.EdgeCount, graph.UserCount, graph.ItemCount));
    }

    private static bool Run(Act[] script, int maxEdges)
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = maxEdges });
        var naive = new NaiveGraph(maxEdges);
        foreach (var step in script)
        {
            if (step.Erase)
            {
                Assert.Equal(naive.Remove(step.User), graph.RemoveUser(step.User));
            }
            else
            {
                graph.Add(step.User, step.Item, step.Type, step.Value, step.TimeMs);
                naive.Add(step.User, new UserEvent(step.Item, step.Type, step.Value, step.TimeMs));
            }

            Compare(graph, naive, step.User, step.Item, 5);
        }

        for (var user = 0; user < Users; user++)
            Compare(graph, naive, user, user, 1000);
        Assert.Equal(naive.Edges.LongCount(), graph.EdgeCount);
        return true;
    }

    private static void Compare(LiveGraph graph, NaiveGraph naive, int user, int item, int count)
    {
        var (recent, users) = (new UserEvent[count], new int[count]);
        Assert.Equal(naive.Recent(user, count), recent[..graph.Recent(user, recent)]);
        Assert.Equal(naive.ItemUsers(item, count), users[..graph.ItemUsers(item, users)]);
        Assert.Equal(naive.Edges.Count(e => e.User == user), graph.UserDegree(user));
        Assert.Equal(naive.Edges.Count(e => e.Event.Item == item), graph.ItemDegree(item));
        Assert.Equal(naive.Edges.Any(e => e.User == user && e.Event.Item == item), graph.HasSeen(user, item));
    }
}
