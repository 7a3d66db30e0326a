using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Replay;
using StreamRec.Scorer;

namespace StreamRec.Demo;

/// <summary>Where a demo stands.</summary>
public enum DemoPhase
{
    Starting,
    Replaying,

    /// <summary>Everything is sent; ingest and scorer take what is left.</summary>
    Draining,

    /// <summary>Everything is scored; a training run is still under way.</summary>
    LastTraining,
    Done,
}

/// <summary>Everything the view shows at one moment. Plain data: the view is a pure function of it.</summary>
public sealed record DemoSnapshot
{
    public required string Dataset { get; init; }

    /// <summary>For people: "full speed" or "500 events/s".</summary>
    public required string Speed { get; init; }
    public string Broker { get; init; } = "";
    public string Bootstrap { get; init; } = "";
    public string ListsTopic { get; init; } = "";
    public DemoPhase Phase { get; init; }
    public TimeSpan Elapsed { get; init; }
    public long Total { get; init; }
    public long Sent { get; init; }
    public Hold Hold { get; init; }

    /// <summary>Events sent and lists produced per second, oldest first, one point per <see cref="DemoHistory.Step"/>.</summary>
    public IReadOnlyList<double> SentPerSecond { get; init; } = [];
    public IReadOnlyList<double> AppliedPerSecond { get; init; } = [];
    public IReadOnlyList<double> ListsPerSecond { get; init; } = [];
    public long IngestLag { get; init; }
    public long ScorerLag { get; init; }
    public long Applied { get; init; }
    public long Duplicates { get; init; }
    public IReadOnlyDictionary<string, long> DeadLetters { get; init; } = new Dictionary<string, long>();
    public GraphStats Graph { get; init; }

    /// <summary>Newest first.</summary>
    public IReadOnlyList<TrainRun> Runs { get; init; } = [];

    /// <summary>Newest first.</summary>
    public IReadOnlyList<RegisteredModel> Models { get; init; } = [];
    public long ServingVersion { get; init; }
    public long Lists { get; init; }

    /// <summary>Lists an outside consumer has read from the topic.</summary>
    public long ListsSeenOutside { get; init; }
    public LatencySummary EventToList { get; init; } = new(0, 0, 0, 0, 0);
    public LatencySummary RequestToList { get; init; } = new(0, 0, 0, 0, 0);
    public PrequentialReport Prequential { get; init; } = new(Nothing, Nothing, [], []);
    public IReadOnlyList<SampleUser> Samples { get; init; } = [];

    /// <summary>Hit rate at 10 of somebody who knows the simulated people's law, on the events judged so far; null for real data.</summary>
    public double? Achievable { get; init; }

    /// <summary>Address of the web console; null where there is none.</summary>
    public string? Console { get; init; }

    /// <summary>A warning of the last half minute, for the footer.</summary>
    public string? Problem { get; init; }

    private static PrequentialMetrics Nothing => new(0, 0, 0, 0, 0);
}
