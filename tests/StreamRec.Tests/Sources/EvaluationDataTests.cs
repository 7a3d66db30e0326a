using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Sources;
using StreamRec.Trainer;
using StreamRec.Trainer.Evaluation;
using Xunit;

namespace StreamRec.Tests.Sources;

public class EvaluationDataTests
{
    [Theory]
    [InlineData("ml-100k", "ml-100k")]
    [InlineData("ml-100k-ge4", "ml-100k")]
    [InlineData("online-retail", "online-retail")]
    public void The_split_is_the_published_one(string dataset, string folder)
    {
        var set = EvaluationData.Open(dataset, SharedData.Folder(folder));
        var published = Path.Combine(SharedData.Folder(folder), "..", "..", "peers", "fingerprints.json");
        Assert.SkipUnless(File.Exists(published), "../shared/peers/fingerprints.json is not on this machine");
        using var json = JsonDocument.Parse(File.ReadAllBytes(published));
        var expected = json.RootElement.GetProperty(dataset);
        var own = set.Fingerprint();
        Assert.Equal(expected.GetProperty("events").GetInt32(), own.Events);
        Assert.Equal(expected.GetProperty("users").GetInt32(), own.Users);
        Assert.Equal(expected.GetProperty("items").GetInt32(), own.Items);
        Assert.Equal(expected.GetProperty("test").GetInt32(), own.Test);
        Assert.Equal(expected.GetProperty("train_sha256_sorted").GetString(), own.TrainSha256Sorted);
        Assert.Equal(expected.GetProperty("valid_sha256_sorted").GetString(), own.ValidSha256Sorted);
        Assert.Equal(expected.GetProperty("test_sha256_sorted").GetString(), own.TestSha256Sorted);
        Assert.Equal(expected.GetProperty("test_sha256_event_order").GetString(), own.TestSha256EventOrder);
    }

    [Theory]
    [InlineData(EvalProtocol.Temporal, new[] { 0.2288, 0.2067, 0.2112, 0.2113, 0.2252 })]
    [InlineData(EvalProtocol.Prequential, new[] { 0.0372, 0.0719, 0.1030, 0.0735, 0.1097 })]
    [InlineData(EvalProtocol.PrequentialStrict, new[] { 0.0364, 0.0661, 0.0895, 0.0629, 0.0972 })]
    public void The_baselines_reach_the_published_numbers_to_the_fourth_digit(EvalProtocol protocol, double[] published)
    {
        var set = EvaluationData.Open("ml-100k", SharedData.Folder("ml-100k"));
        var options = new EvalOptions { Protocol = protocol, Task = SeenRule.Exclude, Channels = [ChannelNames.Popularity] };
        var result = new EvalRun(
            set, null, new TrainerOptions(), options, EventTypes.Default,
            NullLogger.Instance, null, TestContext.Current.CancellationToken).Run();
        string[] names = ["popularity-30d", "itemknn", "itemknn-decay", "ease", "ease-decay"];
        foreach (var (name, ndcg) in names.Zip(published))
            Assert.Equal(ndcg, result.Judged.Single(j => j.Name == name).Metrics["ndcg_10"], 0.00006);
    }
}
