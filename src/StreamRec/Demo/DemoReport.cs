using System.Text.Json;
using System.Text.Json.Serialization;
using StreamRec.Contracts;
using StreamRec.Scorer;

namespace StreamRec.Demo;

/// <summary>The JSON of <c>demo --report</c>: the agreed fields first, all measured, then what explains them.</summary>
internal sealed record DemoReport
{
    public required long EventsProduced { get; init; }
    public required long EventsApplied { get; init; }
    public required long Duplicates { get; init; }
    public required long DeadLetters { get; init; }
    public required long Recommendations { get; init; }
    public required string GraphDigest { get; init; }
    public required IReadOnlyList<ReportedModel> Models { get; init; }
    public required ReportedLatencies LatencyMs { get; init; }
    public required ReportedPrequential Prequential { get; init; }
    public required ReportedThroughput Throughput { get; init; }
    public required double WallS { get; init; }
    public required string Dataset { get; init; }
    public required string Speed { get; init; }
    public required string Broker { get; init; }
    public required bool Interrupted { get; init; }
    public required IReadOnlyDictionary<string, long> DeadLettersByReason { get; init; }
    public required ReportedExpectation Expected { get; init; }

    /// <summary>What does not add up; empty with exit code 0.</summary>
    public required IReadOnlyList<string> Faults { get; init; }
    public required ReportedOutside Outside { get; init; }

    public static DemoReport Of(DemoResult r) => new()
    {
        EventsProduced = r.Outcome.Produced,
        EventsApplied = r.Outcome.Applied,
        Duplicates = r.Outcome.Duplicates,
        DeadLetters = r.Outcome.DeadLetterTotal,
        Recommendations = r.ListsInTopic,
        GraphDigest = r.Outcome.Digest,
        Models = [.. r.Models.Select(m => new ReportedModel(m.Version, m.Status, m.Metrics))],
        LatencyMs = new ReportedLatencies(Latency(r.EventToList), Latency(r.RequestToList)),
        Prequential = Accuracy(r),
        Throughput = new ReportedThroughput(Math.Round(r.IngestPerSecond, 1), Math.Round(r.ListsPerSecond, 1)),
        WallS = Math.Round(r.Wall.TotalSeconds, 2),
        Dataset = r.Dataset,
        Speed = r.Speed,
        Broker = r.Broker,
        Interrupted = r.Interrupted,
        DeadLettersByReason = r.Outcome.DeadLetters,
        Expected = new ReportedExpectation(r.Expected.Applied, r.Expected.Duplicates, r.Expected.DeadLetters, r.Expected.Digest),
        Faults = r.Faults,
        Outside = new ReportedOutside(
            r.ListsSeenOutside, r.RequestsAsked, r.RequestsAnswered, r.Outside.Events, r.Outside.Hr10,
            r.Outside.Chosen.N > 0 ? new ReportedTruth(Truth(r.Outside.Chosen), Truth(r.Outside.ByModel)) : null),
    };

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, ReportJson.Default.DemoReport);

    private static ReportedShare Truth(ChosenVerdict v) => new(v.N, v.Hr10, v.OracleHr10, v.AchievableHr10, v.Share);

    private static ReportedLatency Latency(LatencySummary l) => new(l.P50, l.P95, l.P99);

    private static ReportedPrequential Accuracy(DemoResult r)
    {
        var all = r.Prequential.Served;
        return new ReportedPrequential(
            all.Hr10, all.Hr20, all.Ndcg10, all.Mrr20, all.N,
            [.. r.Prequential.ByModel.Select(m => new ReportedModelAccuracy(
                m.Version, m.Served.Hr10, m.Served.Hr20, m.Served.Ndcg10, m.Served.Mrr20, m.Served.N, Metrics(m.Popularity)))],
            Metrics(r.Prequential.Popularity));
    }

    private static ReportedMetrics Metrics(PrequentialMetrics m) => new(m.Hr10, m.Hr20, m.Ndcg10, m.Mrr20, m.N);
}

internal sealed record ReportedModel(long Version, string Status, IReadOnlyDictionary<string, double> Metrics);

internal sealed record ReportedLatency(double P50, double P95, double P99);

internal sealed record ReportedLatencies(ReportedLatency EventToList, ReportedLatency RequestToList);

internal sealed record ReportedMetrics(
    [property: JsonPropertyName("hr_10")] double Hr10, [property: JsonPropertyName("hr_20")] double Hr20, [property: JsonPropertyName("ndcg_10")] double Ndcg10,
    [property: JsonPropertyName("mrr_20")] double Mrr20, long N);

/// <summary>Lists of one model version (0: no model yet) and popularity on the same events.</summary>
internal sealed record ReportedModelAccuracy(
    long Version, [property: JsonPropertyName("hr_10")] double Hr10, [property: JsonPropertyName("hr_20")] double Hr20,
    [property: JsonPropertyName("ndcg_10")] double Ndcg10, [property: JsonPropertyName("mrr_20")] double Mrr20, long N, ReportedMetrics BaselinePopularity);

internal sealed record ReportedPrequential(
    [property: JsonPropertyName("hr_10")] double Hr10, [property: JsonPropertyName("hr_20")] double Hr20, [property: JsonPropertyName("ndcg_10")] double Ndcg10,
    [property: JsonPropertyName("mrr_20")] double Mrr20, long N, IReadOnlyList<ReportedModelAccuracy> ByModel, ReportedMetrics BaselinePopularity);

/// <summary>
/// Messages taken and lists made per second between the first event sent and the last one
/// scored, without the time everything was done and the replay waited for training.
/// </summary>
internal sealed record ReportedThroughput(double IngestPerS, double ListsPerS);

/// <summary>The same counts computed from the input alone.</summary>
internal sealed record ReportedExpectation(long EventsApplied, long Duplicates, IReadOnlyDictionary<string, long> DeadLettersByReason, string GraphDigest);

/// <summary>What an outside consumer saw, and its own measure of accuracy from the two topics alone.</summary>
internal sealed record ReportedOutside(
    long ListsRead, long RequestsAsked, long RequestsAnswered, long N, [property: JsonPropertyName("hr_10")] double Hr10, ReportedTruth? Simulator);

/// <summary>Only the simulator knows the truth: all events its people chose, and those held against a list some model made.</summary>
internal sealed record ReportedTruth(ReportedShare All, ReportedShare ByModel);

/// <summary>Hit rates at 10, and how much of the achievable one was reached.</summary>
internal sealed record ReportedShare(
    long N, [property: JsonPropertyName("hr_10")] double Hr10, [property: JsonPropertyName("oracle_hr_10")] double OracleHr10,
    [property: JsonPropertyName("achievable_hr_10")] double AchievableHr10, double ShareReached);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(DemoReport))]
internal sealed partial class ReportJson : JsonSerializerContext;
