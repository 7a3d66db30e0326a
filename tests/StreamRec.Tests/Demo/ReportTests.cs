using System.Text.Json;
using StreamRec.Contracts;
using StreamRec.Demo;
using StreamRec.GraphStore;
using StreamRec.Sources;
using StreamRec.Sources.Simulator;
using Xunit;

namespace StreamRec.Tests.Demo;

public class ReportTests
{
    [Fact]
    public void The_report_has_the_agreed_fields_and_none_is_null()
    {
        using var json = JsonDocument.Parse(DemoReport.Of(DemoData.Result).ToJson());
        var root = json.RootElement;

        foreach (var field in new[] { "events_produced", "events_applied", "duplicates", "dead_letters", "recommendations", "wall_s" })
            Assert.Equal(JsonValueKind.Number, root.GetProperty(field).ValueKind);
        Assert.Equal(900, root.GetProperty("dead_letters").GetInt64());
        Assert.Equal("87300-00000000deadbeef", root.GetProperty("graph_digest").GetString());
        Assert.Equal(JsonValueKind.Array, root.GetProperty("models").ValueKind);
        foreach (var latency in new[] { "event_to_list", "request_to_list" })
            foreach (var quantile in new[] { "p50", "p95", "p99" })
                Assert.True(root.GetProperty("latency_ms").GetProperty(latency).GetProperty(quantile).GetDouble() > 0);
        var prequential = root.GetProperty("prequential");
        foreach (var part in new[] { prequential, prequential.GetProperty("baseline_popularity"), prequential.GetProperty("by_model")[0] })
            foreach (var metric in new[] { "hr_10", "hr_20", "ndcg_10", "mrr_20", "n" })
                Assert.True(part.GetProperty(metric).GetDouble() > 0);
        foreach (var rate in new[] { "ingest_per_s", "lists_per_s" })
            Assert.True(root.GetProperty("throughput").GetProperty(rate).GetDouble() > 0);
    }

    [Fact]
    public void Numbers_that_agree_have_no_fault() => Assert.Empty(Accounting.Faults(DemoData.Result.Outcome, DemoData.Result.Expected));

    [Fact]
    public void Each_number_that_is_off_is_named()
    {
        var good = DemoData.Result.Outcome;
        var wanted = DemoData.Result.Expected;

        Assert.Contains("produced 90,001", Accounting.Faults(good with { Produced = 90_001 }, wanted)[0], StringComparison.Ordinal);
        Assert.Contains(
            Accounting.Faults(good with { Applied = 87_299, Duplicates = 1_801 }, wanted),
            f => f.StartsWith("applied 87,299", StringComparison.Ordinal));
        Assert.Contains(Accounting.Faults(good with { Lost = 3 }, wanted), f => f.Contains("deleted by the broker", StringComparison.Ordinal));
        Assert.Contains(Accounting.Faults(good with { Digest = "x" }, wanted), f => f.Contains("digest x", StringComparison.Ordinal));
        var swapped = new Dictionary<string, long> { ["malformed_json"] = 599, ["bad_time"] = 301 };
        Assert.Equal(2, Accounting.Faults(good with { DeadLetters = swapped }, wanted).Count);
    }

    [Fact]
    public void What_the_input_demands_is_what_a_decoder_finds_in_it()
    {
        var expected = new Expected();
        var source = new SimulatorSource(new SimulatorOptions { Events = 4_000, Users = 200, Items = 400 });
        var interactions = new List<Interaction>();
        foreach (var message in source.Read().Where(m => m.Topic == SourceTopic.Interactions))
        {
            expected.Add(message);
            if (message.Fate != Fate.DeadLetter)
                interactions.Add(message.Interaction);
        }

        Assert.Equal(4_000, expected.Produced);
        Assert.Equal(GraphDigest.Of(interactions).ToString(), expected.Digest);
    }

    [Fact]
    public void The_judge_holds_an_event_against_the_list_that_stood_before_it()
    {
        var judge = new OutsideJudge();
        judge.Event(Event("a", "x"), 10); // no list yet: not judged
        judge.List(List("a", 10, "y"));
        judge.Event(Event("a", "y"), 11); // hit
        judge.List(List("a", 11, "z"));
        judge.List(List("a", 12, "w"));
        judge.Event(Event("a", "w"), 12); // the list caused by itself does not count; z stood before: miss
        judge.Event(Event("b", "y"), 13); // another user

        var verdict = judge.Verdict();

        Assert.Equal(2, verdict.Events);
        Assert.Equal(0.5, verdict.Hr10);
        Assert.Equal(0, verdict.Chosen.N);
    }

    private static SourceMessage Event(string user, string item) => new()
    {
        Topic = SourceTopic.Interactions, Key = user, Value = [], TimeMs = 0, Interaction = new Interaction(default, user, item, 1, float.NaN, 0),
    };

    private static RecommendationList List(string user, long cause, string item) => new()
    {
        Trigger = "interactions", UserId = user, ModelVersion = 1, GeneratedAt = DateTimeOffset.UnixEpoch,
        CausedBy = new CausedBy("t", 0, cause, DateTimeOffset.UnixEpoch),
        Items = [new RecommendedItem(item, 1, 1, "gnn", "", [])],
    };
}
