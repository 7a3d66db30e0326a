using StreamRec.Contracts;
using StreamRec.Demo;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Scorer;

namespace StreamRec.Tests.Demo;

/// <summary>A plausible moment and a plausible end of a demo.</summary>
internal static class DemoData
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    public static readonly IReadOnlyList<TrainRun> Runs =
    [
        Run(RunStatus.Running, "volume: 75,003 events applied", null, 20, null) with { Stage = "epoch 4 of 12", Fraction = 0.37 },
        Run(RunStatus.Succeeded, "volume: 50,002 events applied", 2, 80, 41) with
        {
            Metrics = new Dictionary<string, double> { ["hr_10"] = 0.221, ["ndcg_10"] = 0.1152 },
        },
        Run(RunStatus.Rejected, "volume: 25,001 events applied", 1, 140, 99) with { Error = "NDCG@10 .1021 is below the champion's .1101 on the same holdout" },
    ];

    public static readonly PrequentialReport Prequential = new(
        new PrequentialMetrics(60_000, 0.184, 0.27, 0.097, 0.08), new PrequentialMetrics(60_000, 0.061, 0.1, 0.03, 0.025),
        [
            new ModelPrequential(0, new PrequentialMetrics(20_000, 0.08, 0.13, 0.04, 0.03), new PrequentialMetrics(20_000, 0.06, 0.1, 0.03, 0.02)),
            new ModelPrequential(1, new PrequentialMetrics(10_000, 0.20, 0.3, 0.11, 0.09), new PrequentialMetrics(10_000, 0.05, 0.1, 0.03, 0.02)),
            new ModelPrequential(2, new PrequentialMetrics(30_000, 0.24, 0.33, 0.13, 0.11), new PrequentialMetrics(30_000, 0.07, 0.11, 0.03, 0.03)),
        ],
        [.. Enumerable.Range(1, 60).Select(i => new PrequentialWindow(i * 1000, i, i < 20 ? 0 : i < 40 ? 1 : 2,
            new PrequentialMetrics(1000, (i < 20 ? 0.09 : i < 40 ? 0.19 : 0.23) + (0.02 * Math.Sin(i)), 0.3, 0.1, 0.1),
            new PrequentialMetrics(1000, 0.06 + (0.015 * Math.Cos(i * 1.7)), 0.1, 0.03, 0.02)))]);

    public static DemoSnapshot Snapshot => new()
    {
        Dataset = "ml-100k", Speed = "full speed", Broker = "in-process broker (memory only)",
        Bootstrap = "127.0.0.1:40911",
        ListsTopic = "streamrec.recommendations.v1",
        Phase = DemoPhase.Replaying, Elapsed = TimeSpan.FromSeconds(83), Total = 100_000, Sent = 62_431,
        SentPerSecond = [.. Enumerable.Range(0, 70).Select(i => 2_000 + (1_800 * Math.Sin(i / 5.0)))], AppliedPerSecond = [3_712],
        ListsPerSecond = [.. Enumerable.Range(0, 50).Select(i => 900 + (700 * Math.Cos(i / 4.0)))],
        IngestLag = 312, ScorerLag = 1_840, Applied = 60_102, Duplicates = 1_204,
        DeadLetters = new Dictionary<string, long>
        {
            ["malformed_json"] = 180, ["missing_field"] = 131, ["unknown_type"] = 120, ["bad_time"] = 97,
            ["not_utf8"] = 61, ["id_too_long"] = 30, ["too_large"] = 12, ["bad_value"] = 50,
        },
        Graph = new GraphStats(943, 1_682, 60_102, 59_874), Runs = Runs, ServingVersion = 2, Lists = 45_120, ListsSeenOutside = 45_098,
        EventToList = new LatencySummary(45_120, 212, 340, 391, 800), RequestToList = new LatencySummary(830, 3.2, 11, 24, 60),
        Prequential = Prequential,
        Achievable = 0.489,
        Samples =
        [
            Sample("405", 2, "Toy Story (1995)", "Star Wars (1977)"),
            Sample(
                "[bold]<script>", 1,
                "A title that is far too long for a third of the screen, whatever the terminal's size is [/]",
                "Fargo (1996)"),
            Sample("u00017", 0, "Velmora rustic teapot", "Kalum vintage kettle"),
        ],
    };

    public static DemoResult Result => new()
    {
        Dataset = "simulate", Speed = "500 events/s", Broker = "in-process broker (memory only)", Interrupted = false,
        Outcome = new Outcome(
            90_000, 87_300, 1_800,
            new Dictionary<string, long> { ["malformed_json"] = 600, ["bad_time"] = 300 },
            0, "87300-00000000deadbeef"),
        Expected = new ExpectedOutcome(87_300, 1_800, new Dictionary<string, long> { ["malformed_json"] = 600, ["bad_time"] = 300 }, "87300-00000000deadbeef"),
        Faults = [], Graph = new GraphStats(2_000, 2_400, 87_300, 86_000), Models = [], Runs = [.. Runs.Reverse()],
        Lists = 70_000, ListsInTopic = 70_100, ListsSeenOutside = 70_100, RequestsAsked = 100, RequestsAnswered = 100,
        EventToList = new LatencySummary(70_000, 212, 340, 391, 800), RequestToList = new LatencySummary(100, 3.2, 11, 24, 60), Prequential = Prequential,
        Outside = new OutsideVerdict(
            80_000, 0.19,
            new ChosenVerdict(78_000, 0.2, 0.49, 0.488),
            new ChosenVerdict(40_000, 0.25, 0.5, 0.489)),
        Busy = TimeSpan.FromSeconds(181),
        IdleForTraining = TimeSpan.FromSeconds(31),
        Wall = TimeSpan.FromSeconds(230),
    };

    private static TrainRun Run(string status, string reason, long? version, int startedAgo, int? endedAgo) => new(
        Guid.NewGuid(), status, reason, "volume trigger", false,
        Now.AddSeconds(-startedAgo), Now.AddSeconds(-startedAgo), null,
        endedAgo is { } e ? Now.AddSeconds(-e) : null,
        "here", "", 1, new Dictionary<string, double>(), version, null);

    private static SampleUser Sample(string user, long version, string seen, string listed) => new(
        user, version, [.. Enumerable.Range(0, 5).Select(i => new SampleEvent($"i{i}", seen, "rating", Now))],
        [.. Enumerable.Range(0, 20).Select(i => new SampleItem($"i{i}", listed, "gnn", "because of i1"))]);
}
