using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>One ranker's results on one task, down to the single question, so that two rankers can be compared in pairs.</summary>
/// <param name="Name"><c>blend</c>, a channel's name or a baseline's.</param>
/// <param name="Seed">Null where nothing is random.</param>
/// <param name="Users">User of each question.</param>
/// <param name="Ndcg10">NDCG@10 of each question.</param>
/// <param name="Second">HR@10 of each question; in P1 Recall@20.</param>
/// <param name="Metrics">Means under the names of reports.</param>
/// <param name="Raw">Arrays for raw files, without the task's name.</param>
public sealed record Judged(
    string Name, int? Seed, int[] Users, double[] Ndcg10, double[] Second, IReadOnlyDictionary<string, double> Metrics, IReadOnlyDictionary<string, Array> Raw)
{
    /// <summary>The mean over seeds.</summary>
    public bool IsMean { get; private init; }

    /// <summary>Items that any of the lists showed; empty where ranks were judged and no lists.</summary>
    public int[] Shown { get; init; } = [];

    /// <summary>From the ranks of the asked events' items.</summary>
    /// <param name="name">The ranker.</param>
    /// <param name="seed">Its seed.</param>
    /// <param name="log">Of the events.</param>
    /// <param name="events">Asked events, ascending.</param>
    /// <param name="ranks">1-based, beside the events.</param>
    /// <param name="fitEnd">Items with fewer than five events before it are cold, users without one new.</param>
    /// <param name="judgeEnd">End of the judged part: raw files hold one number for each event of it, 0 where none was asked.</param>
    public static Judged OfRanks(string name, int? seed, EventLog log, int[] events, int[] ranks, int fitEnd, int judgeEnd)
    {
        int[] users = [.. events.Select(e => log.User[e])];
        var counts = log.ItemCounts(fitEnd);
        double[] gains = [.. ranks.Select(RankMetrics.Gain)], hits = [.. ranks.Select(r => r <= 10 ? 1.0 : 0)];
        var known = new HashSet<int>(log.User[..fitEnd]);
        var metrics = new Dictionary<string, double>(RankMetrics.Of(ranks).Named("")) { ["n"] = events.Length };
        void Slice(string prefix, Func<int, bool> belongs)
        {
            int[] own = [.. ranks.Where((_, k) => belongs(k))];
            metrics[prefix + "n"] = own.Length;
            foreach (var (key, value) in RankMetrics.Of(own).Named(prefix))
                metrics[key] = value;
        }

        Slice("cold_", k => counts[log.Item[events[k]]] < HoldoutReport.ColdEvents);
        Slice("known_users_", k => known.Contains(users[k]));
        Slice("new_users_", k => !known.Contains(users[k]));
        metrics["user_macro_ndcg_10"] = users.Zip(gains).GroupBy(x => x.First, x => x.Second).Select(g => g.Average()).DefaultIfEmpty(0).Average();
        var raw = new ushort[judgeEnd - fitEnd];
        for (var k = 0; k < events.Length; k++)
            raw[events[k] - fitEnd] = (ushort)Math.Min(ranks[k], ushort.MaxValue);
        return new Judged(name, seed, users, gains, hits, metrics, new Dictionary<string, Array> { ["ranks"] = raw });
    }

    /// <summary>From the lists of protocol P1.</summary>
    /// <param name="name">The ranker.</param>
    /// <param name="seed">Its seed.</param>
    /// <param name="questions">Whose lists they are.</param>
    /// <param name="lists">At most 20 items each, best first, in the numbering of the questions.</param>
    /// <param name="counts">Events per item in the fit part.</param>
    public static Judged OfLists(string name, int? seed, IReadOnlyList<TemporalQuestion> questions, int[][] lists, int[] counts)
    {
        var at10 = questions.Zip(lists, (q, list) => RankingMetrics.AtK(list, q.Relevant, 10)!.Value).ToArray();
        var at20 = questions.Zip(lists, (q, list) => RankingMetrics.AtK(list, q.Relevant, 20)!.Value).ToArray();
        double[] coldRecall = [.. questions.Zip(lists, (q, list) => ColdRecall(q.Relevant, list, counts)).Where(r => r is not null).Select(r => r!.Value)];
        int[] shown = [.. lists.SelectMany(l => l).Distinct()];
        double Mean(ListMetrics[] of, Func<ListMetrics, double> value) => of.Length == 0 ? 0 : of.Average(value);
        var metrics = new Dictionary<string, double>
        {
            ["n"] = questions.Count,
            ["recall_10"] = Mean(at10, m => m.Recall), ["recall_20"] = Mean(at20, m => m.Recall),
            ["ndcg_10"] = Mean(at10, m => m.Ndcg), ["ndcg_20"] = Mean(at20, m => m.Ndcg),
            ["hr_10"] = Mean(at10, m => m.HitRate), ["hr_20"] = Mean(at20, m => m.HitRate), ["mrr_20"] = Mean(at20, m => m.Mrr),
            ["coverage_20"] = shown.Length / (double)Math.Max(1, counts.Length),
            ["cold_recall_20"] = coldRecall.Length == 0 ? 0 : coldRecall.Average(),
            ["cold_n"] = coldRecall.Length,
        };
        int[] users = [.. questions.Select(q => q.User)];
        double[] ndcg = [.. at10.Select(m => m.Ndcg)], recall = [.. at20.Select(m => m.Recall)];
        return new Judged(name, seed, users, ndcg, recall, metrics, new Dictionary<string, Array>
        {
            ["users"] = Array.ConvertAll(users, u => (long)u), ["ndcg10"] = ndcg, ["recall20"] = recall,
        }) { Shown = shown };
    }

    /// <summary>Two halves of the questions as one result; without raw arrays.</summary>
    /// <param name="a">One half.</param>
    /// <param name="b">The other, by the same ranker.</param>
    /// <param name="items">In the catalogue.</param>
    public static Judged Joined(Judged a, Judged b, int items)
    {
        // Slices have sizes of their own: cold_hr_20 is a mean over cold_n.
        double Mean(string key)
        {
            if (key == "n" || key.EndsWith("_n", StringComparison.Ordinal))
                return a.Metrics[key] + b.Metrics[key];
            var slice = a.Metrics.Keys
                .Where(k => k.EndsWith("_n", StringComparison.Ordinal) && key.StartsWith(k[..^1], StringComparison.Ordinal))
                .FirstOrDefault("n");
            return ((a.Metrics[key] * a.Metrics[slice]) + (b.Metrics[key] * b.Metrics[slice])) / Math.Max(1, a.Metrics[slice] + b.Metrics[slice]);
        }

        int[] shown = [.. a.Shown.Union(b.Shown)];
        var metrics = a.Metrics.Keys.ToDictionary(k => k, Mean);
        metrics["coverage_20"] = shown.Length / (double)Math.Max(1, items);
        return new Judged(
            a.Name, a.Seed, [.. a.Users, .. b.Users], [.. a.Ndcg10, .. b.Ndcg10], [.. a.Second, .. b.Second],
            metrics, new Dictionary<string, Array>())
        {
            Shown = shown,
        };
    }

    /// <summary>The mean of several seeds, question by question.</summary>
    public static Judged Mean(IReadOnlyList<Judged> seeds)
    {
        double[] Average(Func<Judged, double[]> of) => [.. Enumerable.Range(0, seeds[0].Users.Length).Select(k => seeds.Average(s => of(s)[k]))];
        return seeds[0] with
        {
            Seed = null,
            IsMean = true,
            Ndcg10 = Average(s => s.Ndcg10),
            Second = Average(s => s.Second),
            Metrics = seeds[0].Metrics.ToDictionary(m => m.Key, m => seeds.Average(s => s.Metrics[m.Key])),
            Raw = seeds[0].Raw,
        };
    }

    private static double? ColdRecall(int[] relevant, int[] list, int[] counts)
    {
        var cold = relevant.Where(i => counts[i] < HoldoutReport.ColdEvents).ToArray();
        return cold.Length == 0 ? null : (double)cold.Count(list.Contains) / cold.Length;
    }
}

/// <summary>Difference of two rankers on the questions both were asked.</summary>
/// <param name="Questions">How many those are.</param>
/// <param name="Mean">Mean difference of NDCG@10.</param>
/// <param name="StandardError">Clustered by user.</param>
public sealed record PairedDifference(int Questions, double Mean, double StandardError)
{
    public double Z => StandardError > 1e-12 ? Mean / StandardError : 0; // below, the two are the same but for rounding

    /// <summary>Against the raw arrays of another system on the same task; null when they do not fit (another task, split or every-n).</summary>
    /// <param name="own">Results.</param>
    /// <param name="task">Task name in the raw file, as <see cref="EvaluationSet.RawTask"/>.</param>
    /// <param name="other">From <see cref="NpzFile.Read"/>.</param>
    public static PairedDifference? Against(Judged own, string task, IReadOnlyDictionary<string, Array> other)
    {
        if (own.Raw.TryGetValue("ranks", out var raw))
        {
            if (!other.TryGetValue(task + "/ranks", out var theirs) || theirs is not ushort[] ranks || ranks.Length != raw.Length)
                return null;
            var asked = ((ushort[])raw).Index().Where(r => r.Item > 0).Select(r => r.Index).ToArray();
            var both = Enumerable.Range(0, asked.Length).Where(k => ranks[asked[k]] > 0).ToArray();
            return Of([.. both.Select(k => own.Ndcg10[k] - RankMetrics.Gain(ranks[asked[k]]))], [.. both.Select(k => own.Users[k])], clustered: true);
        }

        if (!other.TryGetValue(task + "/ndcg10", out var values) || !other.TryGetValue(task + "/users", out var users)
            || values is not double[] ndcg || users is not long[] ids || !ids.SequenceEqual(own.Users.Select(u => (long)u)))
        {
            return null;
        }

        return Of([.. own.Ndcg10.Zip(ndcg, (a, b) => a - b)], own.Users, clustered: false);
    }

    private static PairedDifference Of(double[] differences, int[] users, bool clustered)
    {
        if (differences.Length < 2)
            return new(differences.Length, 0, 0);
        var mean = differences.Average();
        var error = clustered
            ? Math.Sqrt(differences.Zip(users).GroupBy(x => x.Second, x => x.First - mean).Sum(g => Math.Pow(g.Sum(), 2))) / differences.Length
            : Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / (differences.Length - 1) / differences.Length);
        return new(differences.Length, mean, error);
    }
}
