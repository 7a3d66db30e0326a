using StreamRec.Model;

namespace StreamRec.Trainer.Evaluation;

/// <summary>Candidate, its channels and the champion on the identical events.</summary>
/// <param name="Users">User of each judged event.</param>
/// <param name="Candidate">Ranks by the candidate's lists (<see cref="Prequential.Blend"/>) and by each of its channels alone.</param>
/// <param name="Champion">Ranks by the champion's lists; null without a champion.</param>
/// <param name="Cold">Whether the event's item has fewer than <see cref="ColdEvents"/> events in what the candidate was fitted on.</param>
/// <param name="Coverage">Share of the catalogue in any of the candidate's lists.</param>
public sealed record HoldoutReport(int[] Users, Dictionary<string, int[]> Candidate, int[]? Champion, bool[] Cold, double Coverage)
{
    /// <summary>An item with fewer events counts as cold, as in the evaluation protocol.</summary>
    public const int ColdEvents = 5;

    /// <summary>
    /// The gate: the candidate's lists must be at least as good as the champion's, less
    /// the tolerance; the first model must beat popularity of the last 30 days.
    /// </summary>
    public (bool Accepted, string Why) Decide(double tolerance)
    {
        var own = RankMetrics.Of(Candidate[Prequential.Blend]).Ndcg10;
        if (Users.Length == 0)
            return (false, "the holdout has no event to judge by");
        var (name, ranks, allowed) = Champion is null
            ? ("popularity of the last 30 days", Candidate[ChannelNames.Popularity], 0)
            : ("the champion", Champion, tolerance);
        var other = RankMetrics.Of(ranks).Ndcg10;
        var (_, low, high) = Gain(ranks);
        var verdict = own >= other - allowed;
        return (verdict, FormattableString.Invariant(
            $"NDCG@10 {own:f4} against {other:f4} of {name} on {Users.Length} held-out events (95 % interval of the difference {low:f4} … {high:f4})"));
    }

    /// <summary>Everything measured, under the names of manifests and reports.</summary>
    public Dictionary<string, double> ToMetrics()
    {
        var metrics = new Dictionary<string, double> { ["n"] = Users.Length };
        void Add(string prefix, int[] ranks)
        {
            foreach (var (name, value) in RankMetrics.Of(ranks).Named(prefix))
                metrics[name] = value;
        }

        Add("", Candidate[Prequential.Blend]);
        foreach (var (channel, ranks) in Candidate.Where(c => c.Key != Prequential.Blend))
            Add(channel + "_", ranks);
        if (Champion is not null)
            Add("champion_", Champion);
        metrics["coverage_20"] = Coverage;
        metrics["cold_n"] = Cold.Count(c => c);
        metrics["cold_hr_20"] = RankMetrics.Of([.. Candidate[Prequential.Blend].Where((_, k) => Cold[k])]).Hr20;
        var (gain, low, high) = Gain(Champion ?? Candidate[ChannelNames.Popularity]);
        (metrics["gain_ndcg_10"], metrics["gain_ndcg_10_low"], metrics["gain_ndcg_10_high"]) = (gain, low, high);
        return metrics;
    }

    private (double Mean, double Low, double High) Gain(int[] other)
    {
        var own = Candidate[Prequential.Blend];
        double[] differences = [.. own.Zip(other, (a, b) => RankMetrics.Gain(a) - RankMetrics.Gain(b))];
        return differences.Length == 0 ? (0, 0, 0) : Bootstrap.Interval(differences, Users);
    }
}
