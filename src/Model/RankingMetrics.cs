namespace StreamRec.Model;

/// <summary>Quality of one ranked list at a cut-off k. Every value is in [0, 1].</summary>
/// <param name="Recall">Hits / relevant items (not capped by k).</param>
/// <param name="RecallCapped">Hits / min(k, relevant items).</param>
/// <param name="Precision">Hits / k.</param>
/// <param name="HitRate">1 if there is any hit.</param>
/// <param name="Ndcg">Σ over hits 1/log2(rank + 1), divided by the same sum for ranks 1..min(k, relevant).</param>
/// <param name="Mrr">1 / rank of the first hit, 0 without one.</param>
/// <param name="Map">Σ over hits (hits so far / rank), divided by min(k, relevant).</param>
public readonly record struct ListMetrics(double Recall, double RecallCapped, double Precision, double HitRate, double Ndcg, double Mrr, double Map);

/// <summary>
/// Ranking metrics by their plain definitions, and the rank of a target under the order of every list here: score descending, then fit count
/// descending, then item index ascending.
/// </summary>
public static class RankingMetrics
{
    /// <summary>Metrics of the first k of a list; null when nothing is relevant (such users do not enter a mean).</summary>
    /// <param name="ranked">Items, best first; may be shorter than k.</param>
    /// <param name="relevant">Distinct relevant items, ascending.</param>
    /// <param name="k">Cut-off, at least 1.</param>
    public static ListMetrics? AtK(ReadOnlySpan<int> ranked, ReadOnlySpan<int> relevant, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        if (relevant.IsEmpty)
            return null;
        int hits = 0, first = 0;
        double gain = 0, precisions = 0, ideal = 0;
        var possible = Math.Min(k, relevant.Length);
        for (var rank = 1; rank <= Math.Min(k, ranked.Length); rank++)
        {
            if (relevant.BinarySearch(ranked[rank - 1]) < 0)
                continue;
            hits++;
            first = first == 0 ? rank : first;
            gain += Discount(rank);
            precisions += (double)hits / rank;
        }

        for (var rank = 1; rank <= possible; rank++)
            ideal += Discount(rank);
        return new ListMetrics(
            (double)hits / relevant.Length, (double)hits / possible, (double)hits / k, hits > 0 ? 1 : 0, gain / ideal,
            first == 0 ? 0 : 1.0 / first, precisions / possible);
    }

    /// <summary>1 / log2(rank + 1), rank 1-based: NDCG of a single relevant item at that rank.</summary>
    public static double Discount(int rank) => 1 / Math.Log2(rank + 1);

    /// <summary>
    /// 1-based rank of <paramref name="target"/>: 1 + the items in front of it. Items in <paramref name="removed"/> are not candidates.
    /// O(items).
    /// </summary>
    /// <param name="scores">One per item; <see cref="Channel.Unknown"/> ranks last.</param>
    /// <param name="target">Item index; must not be removed.</param>
    /// <param name="fitCounts">Events per item in the fit part; items beyond its end have 0.</param>
    /// <param name="removed">Items that are not candidates, distinct, in any order.</param>
    public static int RankOf(ReadOnlySpan<float> scores, int target, ReadOnlySpan<float> fitCounts, ReadOnlySpan<int> removed)
    {
        var rank = 1;
        for (var i = 0; i < scores.Length; i++)
        {
            if (IsBefore(scores, fitCounts, i, target))
                rank++;
        }

        foreach (var item in removed)
        {
            if (IsBefore(scores, fitCounts, item, target))
                rank--;
        }

        return rank;
    }

    /// <summary>The first k items of the order, removed ones left out, into <paramref name="ranked"/> (k long); returns how many there were.</summary>
    public static int Top(ReadOnlySpan<float> scores, ReadOnlySpan<float> fitCounts, ReadOnlySpan<int> removed, Span<int> ranked)
    {
        var blocked = new ulong[(scores.Length + 63) >> 6];
        foreach (var item in removed)
            blocked[item >> 6] |= 1UL << (item & 63);
        var top = new TopK(new float[ranked.Length], ranked, fitCounts);
        for (var i = 0; i < scores.Length; i++)
        {
            if ((blocked[i >> 6] >> (i & 63) & 1) == 0)
                top.Offer(scores[i], i);
        }

        top.Sort();
        return top.Count;
    }

    /// <summary>Share of the catalogue shown at least once. <paramref name="exposure"/>[i] = times item i was shown.</summary>
    public static double Coverage(ReadOnlySpan<int> exposure)
    {
        var shown = 0;
        foreach (var times in exposure)
            shown += times > 0 ? 1 : 0;
        return exposure.IsEmpty ? 0 : (double)shown / exposure.Length;
    }

    /// <summary>Gini coefficient of the exposure of all items: 0 = all shown equally often (or nothing shown), near 1 = few get all.</summary>
    public static double Gini(ReadOnlySpan<int> exposure)
    {
        var sorted = exposure.ToArray();
        Array.Sort(sorted);
        double weighted = 0, total = 0;
        for (var i = 0; i < sorted.Length; i++)
        {
            weighted += ((2.0 * (i + 1)) - sorted.Length - 1) * sorted[i];
            total += sorted[i];
        }

        return total == 0 ? 0 : weighted / (sorted.Length * total);
    }

    /// <summary>Chance that a relevant item scores above an irrelevant one, ties 1/2; null when either kind is missing.</summary>
    public static double? Auc(ReadOnlySpan<float> scores, ReadOnlySpan<int> relevant, ReadOnlySpan<int> removed)
    {
        var isRelevant = new bool[scores.Length];
        var isRemoved = new bool[scores.Length];
        foreach (var item in relevant)
            isRelevant[item] = true;
        foreach (var item in removed)
            isRemoved[item] = true;
        double wins = 0;
        long pairs = 0;
        for (var r = 0; r < scores.Length; r++)
        {
            if (!isRelevant[r] || isRemoved[r])
                continue;
            for (var i = 0; i < scores.Length; i++)
            {
                if (isRelevant[i] || isRemoved[i])
                    continue;
                pairs++;
                wins += scores[r] > scores[i] ? 1 : scores[r] == scores[i] ? 0.5 : 0;
            }
        }

        return pairs == 0 ? null : wins / pairs;
    }

    private static bool IsBefore(ReadOnlySpan<float> scores, ReadOnlySpan<float> counts, int a, int b)
    {
        if (scores[a] != scores[b])
            return scores[a] > scores[b];
        float countA = a < counts.Length ? counts[a] : 0, countB = b < counts.Length ? counts[b] : 0;
        return countA != countB ? countA > countB : a < b;
    }
}
