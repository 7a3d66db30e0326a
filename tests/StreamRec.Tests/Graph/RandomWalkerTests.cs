using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.Graph;

public class RandomWalkerTests
{
    private static LiveGraph Graph(int maxEdges, int edges = 20_000)
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = maxEdges });
        var random = new WalkRandom(5);
        for (var i = 0; i < edges; i++)
            graph.Add(random.Below(200), random.Below(100), 1, 1f, i);
        return graph;
    }

    [Fact]
    public void The_same_seed_gives_the_same_candidates_with_any_scratch_and_another_seed_does_not()
    {
        var walker = new RandomWalker(Graph(16_000));
        var (a, b, c) = (new WalkCandidate[50], new WalkCandidate[50], new WalkCandidate[50]);
        var used = new WalkScratch();
        walker.Walk([(9, 1f)], new WalkOptions(), 99, used, c);
        var count = walker.Walk([(1, 1f), (2, 2f)], new WalkOptions(), 7, used, a);
        Assert.Equal(count, walker.Walk([(1, 1f), (2, 2f)], new WalkOptions(), 7, new WalkScratch(), b));
        Assert.Equal(50, count);
        Assert.Equal(a, b);
        walker.Walk([(1, 1f), (2, 2f)], new WalkOptions(), 8, used, c);
        Assert.NotEqual(a, c);
    }

    [Fact]
    public void Visits_follow_the_edges_of_the_whole_window()
    {
        // One person links item 0 to each of the others, item i by i edges, spread over frozen and growing segments.
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 200 });
        var edges = Enumerable.Range(1, 10).SelectMany(item => Enumerable.Repeat(item, item)).Append(0).ToArray();
        for (var i = 0; i < edges.Length; i++)
            graph.Add(0, edges[(i * 17) % edges.Length], 1, 1f, i);
        Assert.Equal(56, graph.UserDegree(0));
        var top = new WalkCandidate[10];
        const int Visits = 200_000;
        Assert.Equal(10, new RandomWalker(graph).Walk([(0, 1f)], new WalkOptions { Visits = Visits, Restart = 1f }, 3, new WalkScratch(), top));
        foreach (var candidate in top)
            Assert.InRange(candidate.Visits / (double)Visits, (candidate.Item / 56.0) - 0.005, (candidate.Item / 56.0) + 0.005);
        Assert.Equal(10, top[0].Item);
        Assert.Equal(top[0].Visits, top[0].Score, 1.0);
    }

    [Fact]
    public void Only_the_newest_edges_of_a_person_are_walked_when_asked()
    {
        var graph = new LiveGraph(new LiveGraphOptions { MaxEdges = 80 });
        for (var item = 0; item < 60; item++)
            graph.Add(0, item, 1, 1f, item);
        var top = new WalkCandidate[60];
        var count = new RandomWalker(graph).Walk([(10, 1f)], new WalkOptions { NewestOfUser = 5, Visits = 5_000, Restart = 1f }, 1, new WalkScratch(), top);
        Assert.Equal([55, 56, 57, 58, 59], top[..count].Select(c => c.Item).Order());
    }

    [Fact]
    public void An_item_found_from_two_seeds_is_boosted_over_one_found_as_often_from_one()
    {
        var graph = new LiveGraph(new LiveGraphOptions());
        // Seeds 0 and 1; item 2 is met half the time from both, item 3 only from 0, item 4 only from 1.
        (int User, int Item)[] edges = [(0, 0), (0, 2), (0, 3), (1, 1), (1, 2), (1, 4)];
        foreach (var (user, item) in edges)
            graph.Add(user, item, 1, 1f, 1);
        var top = new WalkCandidate[5];
        var count = new RandomWalker(graph).Walk([(0, 1f), (1, 1f)], new WalkOptions { Restart = 1f }, 1, new WalkScratch(), top);
        Assert.Equal(3, count);
        Assert.Equal(2, top[0].Item);
        Assert.True(
            top[0].Score > 1.9f * top[0].Visits,
            $"score {top[0].Score} of {top[0].Visits} visits: (√n + √n)² is 4n for n visits from each of two seeds");
        Assert.DoesNotContain(top[..count], c => c.Item is 0 or 1);
    }

    [Fact]
    public void A_walk_stops_early_once_enough_candidates_are_sure()
    {
        var walker = new RandomWalker(Graph(16_000));
        var (scratch, top) = (new WalkScratch(), new WalkCandidate[10]);
        walker.Walk([(1, 1f)], new WalkOptions { Visits = 100_000 }, 1, scratch, top);
        var all = scratch.Steps;
        walker.Walk([(1, 1f)], new WalkOptions { Visits = 100_000, StopCandidates = 10, StopVisits = 5 }, 1, scratch, top);
        Assert.True(scratch.Steps < all / 10, $"{scratch.Steps} of {all} steps");
    }

    [Fact]
    public void A_walk_allocates_nothing()
    {
        var walker = new RandomWalker(Graph(16_000));
        var (scratch, top, options) = (new WalkScratch(), new WalkCandidate[50], new WalkOptions());
        walker.Walk([(1, 1f), (2, 1f)], options, 1, scratch, top);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 50; i++)
            walker.Walk([(1, 1f), (2, 1f)], options, (ulong)i, scratch, top);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Unknown_or_untouched_seeds_give_nothing()
    {
        var top = new WalkCandidate[5];
        Assert.Equal(0, new RandomWalker(Graph(100, edges: 10)).Walk([(99_999, 1f), (-1, 1f)], new WalkOptions(), 1, new WalkScratch(), top));
    }
}
