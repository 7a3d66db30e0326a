using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class ItemFactsTests
{
    private const long Day = 86_400_000;

    [Fact]
    public void An_item_knows_its_first_day_its_usual_interval_and_its_share_of_returns()
    {
        // Item 0: one person after 10 and again after 40 days, another once. Item 1: the same person twice in one moment. Item 2: a return only.
        var events = new FitEvents(
            [0, 1, 0, 0, 2, 2, 3], [0, 0, 0, 0, 1, 1, 2], [2, 2, 2, 2, 2, 2, 8], 4, 4,
            [100 * Day, 101 * Day, 110 * Day, 150 * Day, 160 * Day, 160 * Day, 170 * Day]);
        var weights = new float[32];
        weights[2] = 1;
        weights[8] = -1;
        var facts = ItemFacts.Fit(new ModelConfig { EventWeights = weights }, events);
        Assert.Equal([100f, 160f, 0f, 0f], Enumerable.Range(0, 4).Select(facts.FirstDay));
        Assert.Equal(Math.Sqrt(11.0 * 41.0) - 1, facts.IntervalDays(0), 1e-4);
        Assert.Equal(0, facts.IntervalDays(1));
        Assert.Equal([0.5f, 0.5f, 0f, 0f], Enumerable.Range(0, 4).Select(facts.RepeatShare));
        Assert.Equal(0, facts.FirstDay(99)); // born after the model
    }

    [Fact]
    public void Facts_survive_the_artifact_and_an_artifact_without_them_has_none()
    {
        var artifact = TestModels.Full(10, 1);
        Assert.Equal(0, ItemFacts.Read(artifact).FirstDay(3));
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(artifact.Tensors);
        ItemFacts
            .Fit(new ModelConfig { EventWeights = TestModels.FlatWeights }, new FitEvents([0, 0], [3, 3], [0, 0], 1, 10, [5 * Day, 7 * Day]))
            .Write(tensors);
        var read = ItemFacts.Read(new ModelArtifact(artifact.Manifest, artifact.Items, tensors));
        Assert.Equal(5, read.FirstDay(3));
        Assert.Equal(2, read.IntervalDays(3), 1e-5);
    }
}
