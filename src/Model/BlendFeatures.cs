namespace StreamRec.Model;

/// <summary>
/// The features of one candidate that follow the channels' z-scores in a <see cref="Blend"/>'s row. Counts and times enter as log(1 + x),
/// times in days. In order: the person and the item (own count, days since the last event on it, whether there is one), the person
/// (history length, days since the newest event); then, since blends read them too: the person and the item again (events since the last
/// one on it, their mean interval, how overdue it is by the person's own or else the item's usual interval, whether it is of the newest
/// moment), the item (usual interval, share of returns, days since it was first touched, whether it never was, events in the fit part),
/// the live counters (30 days, 1 day, how the day stands to the month), the person (different items, share of repeats).
/// </summary>
internal static class BlendFeatures
{
    /// <summary>Features of every blend, and of those that are learned now.</summary>
    public const int FirstCount = 5, Count = FirstCount + 14;

    private const int OwnCount = 0, OwnDays = 1, OwnFlag = 2, HistoryLength = 3, NewestDays = 4;
    private const int OwnAge = 5, OwnInterval = 6, OwnDue = 7, OwnNewest = 8;
    private const int Interval = 9, Repeats = 10, ItemDays = 11, Untouched = 12,
        FitCount = 13, Month = 14, Day = 15, Trend = 16, Distinct = 17, OwnRepeats = 18;
    private const double DayMs = 86_400_000;

    /// <summary>Writes the rows of the workspace's candidates, whose channels are scored and standardised.</summary>
    /// <param name="context">The question.</param>
    /// <param name="workspace">Holds candidates, z-scores and own items; the rows go to its features.</param>
    /// <param name="channels">z-scores in front of the features here.</param>
    /// <param name="width">Features of the blend.</param>
    /// <param name="facts">Of the model's items.</param>
    /// <param name="fitCounts">Of the model's items.</param>
    public static void Gather(in RankContext context, RankWorkspace workspace, int channels, int width, ItemFacts facts, ReadOnlySpan<float> fitCounts)
    {
        var n = workspace.CandidateCount;
        var features = workspace.Features.AsSpan(0, n * width);
        var candidates = workspace.Candidates.AsSpan(0, n);
        for (var c = 0; c < channels; c++)
        {
            var z = workspace.ChannelScores(c);
            for (var i = 0; i < n; i++)
                features[(i * width) + c] = z[candidates[i]];
        }

        var person = new Person(context, workspace);
        for (var i = 0; i < n; i++)
        {
            var row = features.Slice((i * width) + channels, width - channels);
            row.Clear();
            var at = workspace.OwnIndex(candidates[i]);
            if (at >= 0)
                WriteOwn(row, workspace.Own[at], context.NowMs, person, facts);
            row[HistoryLength] = person.HistoryLength;
            row[NewestDays] = person.NewestDays;
            if (row.Length == Count)
                WriteItem(row, candidates[i], context, person, facts, fitCounts);
        }
    }

    /// <summary>Takes the person's own dealings with the item out of a row: what its score would be if they were strangers.</summary>
    public static void ForgetOwn(Span<float> row)
    {
        row[..(OwnFlag + 1)].Clear();
        if (row.Length == Count)
            row[OwnAge..(OwnNewest + 1)].Clear();
    }

    private static void WriteOwn(Span<float> row, in OwnItem own, long nowMs, in Person person, ItemFacts facts)
    {
        var since = Math.Max(0, nowMs - own.LastMs) / DayMs;
        row[OwnCount] = MathF.Log(1 + own.Count);
        row[OwnDays] = Log(since);
        row[OwnFlag] = 1;
        if (row.Length != Count)
            return;
        row[OwnAge] = MathF.Log(1 + own.Age);
        var interval = own.Events > 1 ? (own.LastMs - own.FirstMs) / DayMs / (own.Events - 1) : 0;
        row[OwnInterval] = Log(interval);
        var usual = interval > 0 ? interval : facts.IntervalDays(own.Item);
        row[OwnDue] = usual > 0 ? Log(since) - Log(usual) : 0;
        row[OwnNewest] = own.LastMs == person.NewestMs ? 1 : 0;
    }

    private static void WriteItem(Span<float> row, int item, in RankContext context, in Person person, ItemFacts facts, ReadOnlySpan<float> fitCounts)
    {
        var count = item < fitCounts.Length ? fitCounts[item] : 0;
        var first = facts.FirstDay(item);
        float month = At(context.Counters.Month, item), day = At(context.Counters.Day, item);
        row[Interval] = Log(facts.IntervalDays(item));
        row[Repeats] = facts.RepeatShare(item);
        row[ItemDays] = first > 0 ? Log(Math.Max(0, (context.NowMs / DayMs) - first)) : 0;
        row[Untouched] = count > 0 ? 0 : 1;
        row[FitCount] = MathF.Log(1 + count);
        row[Month] = MathF.Log(1 + month);
        row[Day] = MathF.Log(1 + day);
        row[Trend] = MathF.Log((1 + (30 * day)) / (1 + month));
        row[Distinct] = person.Distinct;
        row[OwnRepeats] = person.Repeats;
    }

    private static float At(ReadOnlySpan<int> counts, int item) => item < counts.Length ? counts[item] : 0;

    private static float Log(double days) => (float)Math.Log(1 + days);

    private readonly ref struct Person
    {
        public Person(in RankContext context, RankWorkspace workspace)
        {
            var events = context.History.Length;
            NewestMs = events == 0 ? long.MinValue : context.History[^1].TimeMs;
            NewestDays = events == 0 ? 0 : Log(Math.Max(0, context.NowMs - NewestMs) / DayMs);
            HistoryLength = MathF.Log(1 + events);
            Distinct = MathF.Log(1 + workspace.Own.Length);
            Repeats = events == 0 ? 0 : 1 - ((float)workspace.Own.Length / events);
        }

        public long NewestMs { get; }
        public float NewestDays { get; }
        public float HistoryLength { get; }
        public float Distinct { get; }
        public float Repeats { get; }
    }
}
