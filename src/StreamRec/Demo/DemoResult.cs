using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Scorer;

namespace StreamRec.Demo;

/// <summary>Everything a finished (or interrupted) demo measured. What the summary prints and the report holds.</summary>
internal sealed record DemoResult
{
    public required string Dataset { get; init; }
    public required string Speed { get; init; }
    public required string Broker { get; init; }

    /// <summary>Ctrl-C: the numbers are those of the moment, and what was on its way is not accounted for.</summary>
    public required bool Interrupted { get; init; }
    public required Outcome Outcome { get; init; }
    public required ExpectedOutcome Expected { get; init; }

    /// <summary>Interactions on the topic that the replay did not send.</summary>
    public long OthersEvents { get; init; }

    /// <summary>What does not add up; empty when all is well.</summary>
    public required IReadOnlyList<string> Faults { get; init; }
    public required GraphStats Graph { get; init; }

    /// <summary>Oldest first.</summary>
    public required IReadOnlyList<RegisteredModel> Models { get; init; }

    /// <summary>Oldest first.</summary>
    public required IReadOnlyList<TrainRun> Runs { get; init; }

    /// <summary>Lists the scorer had acknowledged.</summary>
    public required long Lists { get; init; }

    /// <summary>Messages on recommendations.v1 as the broker counts them.</summary>
    public required long ListsInTopic { get; init; }

    /// <summary>Lists the outside consumer read.</summary>
    public required long ListsSeenOutside { get; init; }
    public required long RequestsAsked { get; init; }
    public required long RequestsAnswered { get; init; }
    public required LatencySummary EventToList { get; init; }
    public required LatencySummary RequestToList { get; init; }
    public required PrequentialReport Prequential { get; init; }
    public required OutsideVerdict Outside { get; init; }

    /// <summary>From the first event sent to the last one scored, without <see cref="IdleForTraining"/>.</summary>
    public required TimeSpan Busy { get; init; }

    /// <summary>How long everything was done and the replay stood still for training.</summary>
    public required TimeSpan IdleForTraining { get; init; }

    /// <summary>The whole command, servers' start included.</summary>
    public required TimeSpan Wall { get; init; }

    public double IngestPerSecond => Busy > TimeSpan.Zero ? Outcome.Produced / Busy.TotalSeconds : 0;

    public double ListsPerSecond => Busy > TimeSpan.Zero ? Lists / Busy.TotalSeconds : 0;

    /// <summary>Served and popularity over all events judged against a list some model made: the events after the first promotion.</summary>
    public ModelPrequential? AfterFirstModel
    {
        get
        {
            var with = Prequential.ByModel.Where(m => m.Version > 0 && m.Served.N > 0).ToList();
            return with.Count == 0 ? null : new ModelPrequential(-1, Mean(with.Select(m => m.Served)), Mean(with.Select(m => m.Popularity)));
        }
    }

    private static PrequentialMetrics Mean(IEnumerable<PrequentialMetrics> parts)
    {
        var all = parts.ToList();
        var n = all.Sum(p => p.N);
        double Of(Func<PrequentialMetrics, double> metric) => n == 0 ? 0 : all.Sum(p => metric(p) * p.N) / n;
        return new PrequentialMetrics(n, Of(p => p.Hr10), Of(p => p.Hr20), Of(p => p.Ndcg10), Of(p => p.Mrr20));
    }
}
