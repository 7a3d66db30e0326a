namespace StreamRec.Trainer.Evaluation;

/// <summary>How sure a difference is. Events of one user are not independent, so whole users are drawn, not events.</summary>
public static class Bootstrap
{
    /// <summary>
    /// 95 % percentile interval of the mean of <paramref name="values"/> over <paramref name="draws"/> resamples of users (Efron, 1979, clustered).
    /// Deterministic for a seed. O(events + users · draws).
    /// </summary>
    /// <param name="values">One number per event: a metric, or the difference of two models' metrics on the same event.</param>
    /// <param name="users">The event's user, any labels.</param>
    /// <param name="draws">Resamples.</param>
    /// <param name="seed">Of the resampling.</param>
    public static (double Mean, double Low, double High) Interval(ReadOnlySpan<double> values, ReadOnlySpan<int> users, int draws = 1000, int seed = 0)
    {
        if (values.IsEmpty)
            return (double.NaN, double.NaN, double.NaN);
        var clusters = new Dictionary<int, (double Sum, int Count)>();
        double total = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var (sum, count) = clusters.GetValueOrDefault(users[i]);
            clusters[users[i]] = (sum + values[i], count + 1);
            total += values[i];
        }

        var all = clusters.Values.ToArray();
        var random = new Random(seed);
        var means = new double[draws];
        for (var d = 0; d < draws; d++)
        {
            double sum = 0;
            var count = 0;
            for (var u = 0; u < all.Length; u++)
            {
                var drawn = all[random.Next(all.Length)];
                (sum, count) = (sum + drawn.Sum, count + drawn.Count);
            }

            means[d] = sum / count;
        }

        Array.Sort(means);
        return (total / values.Length, means[(int)(draws * 0.025)], means[Math.Min(draws - 1, (int)(draws * 0.975))]);
    }
}
