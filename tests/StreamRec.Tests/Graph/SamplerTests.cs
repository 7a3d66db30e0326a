using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.Graph;

public class SamplerTests
{
    private const int Users = 300;
    private const int Items = 150;

    private static CsrGraph Graph(int edges = 8_000, bool shuffled = true)
    {
        var random = new WalkRandom(17);
        var (user, item, type, value, time) = (new int[edges], new int[edges], new byte[edges], new float[edges], new long[edges]);
        for (var i = 0; i < edges; i++)
            (user[i], item[i], type[i], value[i], time[i]) = (random.Below(Users), random.Below(Items), 1, i, shuffled ? random.Below(1000) : i);
        return CsrGraph.Build(Users, Items, user, item, type, value, time);
    }

    [Fact]
    public void Rows_are_in_time_order_and_both_directions_hold_the_same_edges()
    {
        var graph = Graph();
        for (var user = 0; user < Users; user++)
        {
            for (var edge = graph.UserStart[user]; edge < graph.UserStart[user + 1]; edge++)
                Assert.True(graph.User[edge] == user && (edge == graph.UserStart[user] || graph.TimeMs[edge] >= graph.TimeMs[edge - 1]));
        }

        for (var item = 0; item < Items; item++)
        {
            for (var at = graph.ItemStart[item]; at < graph.ItemStart[item + 1]; at++)
            {
                Assert.Equal(item, graph.Item[graph.ItemEdge[at]]);
                Assert.True(at == graph.ItemStart[item] || graph.TimeMs[graph.ItemEdge[at]] >= graph.TimeMs[graph.ItemEdge[at - 1]]);
            }
        }

        Assert.Equal(Enumerable.Range(0, graph.Edges), graph.ItemEdge.Order());
    }

    [Fact]
    public void Every_sampler_gives_the_same_rows_on_one_thread_and_on_eight()
    {
        var graph = Graph();
        var ct = TestContext.Current.CancellationToken;
        var rows = Enumerable.Range(0, 500).ToArray();
        var (users, items) = (Array.ConvertAll(rows, r => r % Users), Array.ConvertAll(rows, r => r % Items));
        var before = Array.ConvertAll(rows, r => (long)(r * 2));
        Func<int, Neighbourhoods>[] samplers =
        [
            threads => Samplers.RandomWalkNeighbours(graph, new WalkSampling(), 5, threads, ct),
            threads => Samplers.UniformItems(graph, users, before, 10, 5, threads, ct),
            threads => Samplers.UniformUsers(graph, items, before, 10, 5, threads, ct),
            threads => Samplers.NewestItems(graph, users, before, 10, threads, ct),
        ];
        foreach (var sampler in samplers)
        {
            var (one, eight) = (sampler(1), sampler(8));
            Assert.Equal(one.Neighbour, eight.Neighbour);
            Assert.Equal(one.Weight, eight.Weight);
            Assert.Equal(one.Count, eight.Count);
        }

        Assert.NotEqual(
            Samplers.RandomWalkNeighbours(graph, new WalkSampling(), 5, 1, ct).Neighbour,
            Samplers.RandomWalkNeighbours(graph, new WalkSampling(), 6, 1, ct).Neighbour);
    }

    [Theory]
    [InlineData(1f)]
    [InlineData(0.9f)]
    public void Importance_weights_are_sorted_positive_and_sum_to_one_without_the_item_itself(float decay)
    {
        var hoods = Samplers.RandomWalkNeighbours(
            Graph(), new WalkSampling { Width = 12, DistanceDecay = decay }, 1,
            ct: TestContext.Current.CancellationToken);
        for (var item = 0; item < Items; item++)
        {
            var weights = hoods.WeightsOf(item).ToArray();
            Assert.Equal(12, weights.Length);
            Assert.Equal(1f, weights.Sum(), 1e-5f);
            Assert.Equal(weights.OrderDescending(), weights);
            Assert.DoesNotContain(item, hoods.Of(item).ToArray());
        }
    }

    [Fact]
    public void A_step_falls_off_with_the_distance_along_the_sequence()
    {
        // One person, 101 items once each; from the middle one, distance d must be met in proportion to .9^d on both sides.
        var items = Enumerable.Range(0, 101).ToArray();
        var graph = CsrGraph.Build(1, 101, new int[101], items, new byte[101], new float[101], Array.ConvertAll(items, i => (long)i));
        var hoods = Samplers.RandomWalkNeighbours(
            graph, new WalkSampling { Walks = 400_000, Length = 1, Width = 100 }, 1,
            ct: TestContext.Current.CancellationToken);
        var weight = hoods.Of(50).ToArray().Zip(hoods.WeightsOf(50).ToArray()).ToDictionary(p => p.First, p => p.Second);
        for (var d = 1; d <= 20; d++)
        {
            var expected = 0.5 * 0.1 * Math.Pow(0.9, d - 1) / (1 - Math.Pow(0.9, 50));
            Assert.InRange(weight[50 - d], expected * 0.9, expected * 1.1);
            Assert.InRange(weight[50 + d], expected * 0.9, expected * 1.1);
        }
    }

    [Fact]
    public void No_sampler_with_a_time_sees_an_edge_at_or_after_it()
    {
        var graph = Graph();
        var ct = TestContext.Current.CancellationToken;
        var rows = Enumerable.Range(0, 1000).ToArray();
        var (users, items) = (Array.ConvertAll(rows, r => r % Users), Array.ConvertAll(rows, r => r % Items));
        var before = Array.ConvertAll(rows, r => (long)r);
        var (uniform, newest) = (Samplers.UniformItems(graph, users, before, 50, 1, ct: ct), Samplers.NewestItems(graph, users, before, 50, ct: ct));
        var people = Samplers.UniformUsers(graph, items, before, 50, 1, ct: ct);
        foreach (var row in rows)
        {
            var past = Enumerable.Range(graph.UserStart[users[row]], graph.UserDegree(users[row]))
                .Where(e => graph.TimeMs[e] < before[row])
                .Select(e => graph.Item[e])
                .ToArray();
            Assert.Equal(past.AsEnumerable().Reverse().Take(50), newest.Of(row).ToArray());
            Assert.Equal(past.Order(), uniform.Of(row).ToArray().Order()); // 50 places are enough for all of the past, each edge once
            var touched = graph.ItemEdge[graph.ItemStart[items[row]]..graph.ItemStart[items[row] + 1]]
                .Where(e => graph.TimeMs[e] < before[row])
                .Select(e => graph.User[e])
                .ToArray();
            Assert.Equal(Math.Min(50, touched.Length), people.Count[row]);
            Assert.Subset(touched.ToHashSet(), people.Of(row).ToArray().ToHashSet());
        }
    }

    [Fact]
    public void Walks_as_of_a_time_equal_walks_on_a_graph_that_ends_there()
    {
        var graph = Graph(shuffled: false);
        var past = Enumerable.Range(0, graph.Edges).Where(e => graph.TimeMs[e] < 4_000).OrderBy(e => graph.TimeMs[e]).ToArray();
        int[] Pick(int[] from) => Array.ConvertAll(past, e => from[e]);
        var cut = CsrGraph.Build(
            Users, Items, Pick(graph.User), Pick(graph.Item), new byte[past.Length], new float[past.Length],
            Array.ConvertAll(past, e => graph.TimeMs[e]));
        var ct = TestContext.Current.CancellationToken;
        var asOf = Samplers.RandomWalkNeighbours(graph, new WalkSampling { BeforeMs = 4_000 }, 9, ct: ct);
        var alone = Samplers.RandomWalkNeighbours(cut, new WalkSampling(), 9, ct: ct);
        Assert.Equal(alone.Neighbour, asOf.Neighbour);
        Assert.Equal(alone.Weight, asOf.Weight);
    }

    [Fact]
    public void Arrays_that_do_not_fit_are_refused_by_name()
    {
        Assert.Contains(
            "value 1",
            Assert.Throws<ArgumentException>(() => CsrGraph.Build(1, 1, [0, 0], [0, 0], [1, 1], [0f], [1, 2])).Message,
            StringComparison.Ordinal);
        Assert.Contains("(0, 3)", Assert.Throws<ArgumentException>(() => CsrGraph.Build(1, 2, [0], [3], [1], [0f], [1])).Message, StringComparison.Ordinal);
    }
}
