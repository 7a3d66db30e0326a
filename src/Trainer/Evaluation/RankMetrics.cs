namespace StreamRec.Trainer.Evaluation;

/// <summary>What a list of 1-based ranks of the one relevant item says: means over events. Rank 0 = not an event of this variant, left out.</summary>
/// <param name="Count">Events.</param>
/// <param name="Hr10">Share with rank ≤ 10.</param>
/// <param name="Hr20">Share with rank ≤ 20.</param>
/// <param name="Ndcg10">Mean of 1/log2(rank+1) for rank ≤ 10, else 0.</param>
/// <param name="Mrr20">Mean of 1/rank for rank ≤ 20, else 0.</param>
public sealed record RankMetrics(int Count, double Hr10, double Hr20, double Ndcg10, double Mrr20)
{
    public static RankMetrics Of(ReadOnlySpan<int> ranks)
    {
        int count = 0, hits10 = 0, hits20 = 0;
        double ndcg = 0, mrr = 0;
        foreach (var rank in ranks)
        {
            if (rank <= 0)
                continue;
            count++;
            hits10 += rank <= 10 ? 1 : 0;
            hits20 += rank <= 20 ? 1 : 0;
            ndcg += Gain(rank);
            mrr += rank <= 20 ? 1.0 / rank : 0;
        }

        var n = Math.Max(1, count);
        return new(count, (double)hits10 / n, (double)hits20 / n, ndcg / n, mrr / n);
    }

    /// <summary>One event's NDCG@10 with one relevant item.</summary>
    public static double Gain(int rank) => rank is > 0 and <= 10 ? 1 / Math.Log2(rank + 1.0) : 0;

    /// <summary>Under the names used in manifests and reports, each with a prefix.</summary>
    public IEnumerable<KeyValuePair<string, double>> Named(string prefix) =>
    [
        new(prefix + "hr_10", Hr10), new(prefix + "hr_20", Hr20), new(prefix + "ndcg_10", Ndcg10), new(prefix + "mrr_20", Mrr20),
    ];
}
