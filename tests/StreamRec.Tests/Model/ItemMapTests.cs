using System.Xml.Linq;
using StreamRec.Model.Maps;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class ItemMapTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("map").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Points around four corners of a space of 16 dimensions.</summary>
    private static float[] Clusters(int perCluster)
    {
        var random = new Random(2);
        return
        [
            .. Enumerable.Range(0, 4 * perCluster).SelectMany(i =>
                Enumerable.Range(0, 16).Select(c => (c == i % 4 ? 3f : 0f) + ((float)random.NextDouble() * 0.5f)))
        ];
    }

    [Fact]
    public void Points_that_are_near_in_space_are_near_on_the_map()
    {
        var (x, y) = TSne.Embed(Clusters(60), 16, new TSneOptions { Perplexity = 15, Iterations = 300 }, cancel: TestContext.Current.CancellationToken);
        var own = 0;
        for (var i = 0; i < x.Length; i++)
        {
            var nearest = Enumerable.Range(0, x.Length)
                .Where(j => j != i)
                .OrderBy(j => ((x[i] - x[j]) * (x[i] - x[j])) + ((y[i] - y[j]) * (y[i] - y[j])))
                .Take(10);
            own += nearest.Count(j => j % 4 == i % 4);
        }

        Assert.True(own > 0.98 * 10 * x.Length, $"{own} of {10 * x.Length} neighbours are of the own cluster");
        Assert.All(x.Concat(y), value => Assert.True(float.IsFinite(value)));
        var spread = Enumerable.Range(0, 4).Select(c => x.Where((_, i) => i % 4 == c).Average()).ToArray();
        Assert.True(spread.Max() - spread.Min() > 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_handful_of_points_or_equal_ones_are_no_problem(int points)
    {
        var (x, y) = TSne.Embed(new float[points * 3], 3, new TSneOptions { Iterations = 20 }, cancel: TestContext.Current.CancellationToken);
        Assert.Equal(points, x.Length);
        Assert.All(x.Concat(y), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void The_map_is_the_same_for_a_seed()
    {
        var options = new TSneOptions { Iterations = 50 };
        var ct = TestContext.Current.CancellationToken;
        Assert.Equal(TSne.Embed(Clusters(20), 16, options, cancel: ct).X, TSne.Embed(Clusters(20), 16, options, cancel: ct).X);
    }

    [Fact]
    public void The_picture_is_well_formed_and_names_every_item_and_the_largest_groups()
    {
        MapLabel[] labels = [new("i<1>", "Red & \"green\"", "home"), new("i2", "Tab\u0001", "home"), new("i3", "", "")];
        var picture = XDocument.Parse(ItemMap.Svg("Items <of> v3", [0, 1, 2], [2, 1, 0], labels));
        var svg = picture.Root!.Name.Namespace;
        Assert.Equal(["i<1>: Red & \"green\" (home)", "i2: Tab (home)", "i3: "], picture.Descendants(svg + "title").Select(t => t.Value));
        Assert.Contains(picture.Descendants(svg + "text"), t => t.Value == "home (2)");
        Assert.Equal(4, picture.Descendants(svg + "circle").Count());
    }

    [Fact]
    public void The_projector_files_have_a_row_per_item()
    {
        ItemMap.WriteProjector(_folder, [1, 2.5f, -3, 4], 2, [new("a", "A\tB\n", "x"), new("b", "", "")]);
        Assert.Equal(["1\t2.5", "-3\t4"], File.ReadAllLines(Path.Combine(_folder, "vectors.tsv")));
        Assert.Equal(["item\ttitle\tgroup", "a\tA B \tx", "b\t\t"], File.ReadAllLines(Path.Combine(_folder, "metadata.tsv")));
        Assert.Contains("metadata_path: \"metadata.tsv\"", File.ReadAllText(Path.Combine(_folder, "projector_config.pbtxt")), StringComparison.Ordinal);
    }
}
