namespace StreamRec.Model;

/// <summary>Which items the blend looks at: filters first, then the best of each channel, own items, walks, and as many popular ones as are missing.</summary>
internal static class Candidates
{
    /// <summary>Sets the bit of every item that may not be recommended. O(items / 64 + excluded + own).</summary>
    public static void Block(in RankContext context, RankWorkspace workspace)
    {
        var blocked = workspace.Blocked.AsSpan(0, (workspace.Items + 63) >> 6);
        if (!context.Allowed.IsEmpty)
        {
            for (var w = 0; w < blocked.Length; w++)
                blocked[w] = w < context.Allowed.Length ? ~context.Allowed[w] : ulong.MaxValue;
        }

        foreach (var item in context.Excluded)
        {
            if ((uint)item < (uint)workspace.Items)
                blocked[item >> 6] |= 1UL << (item & 63);
        }

        if (context.Seen == SeenRule.Repeat)
            return;
        foreach (var e in context.History)
        {
            if ((uint)e.Item < (uint)workspace.Items)
                blocked[e.Item >> 6] |= 1UL << (e.Item & 63);
        }
    }

    public static void Collect(in RankContext context, RankWorkspace workspace, int channels, int perChannel, ReadOnlySpan<float> counts)
    {
        perChannel = Math.Min(perChannel, workspace.Items);
        workspace.FitHeap(perChannel);
        workspace.FitCandidates(((channels + 1) * perChannel) + workspace.Own.Length + context.Walks.Length, 0, 0);
        var blocked = workspace.Blocked.AsSpan(0, (workspace.Items + 63) >> 6);
        for (var c = 0; c < channels; c++)
        {
            if (workspace.Speaks[c])
                AddBest(workspace, workspace.ChannelScores(c), blocked, workspace.Floors[c], perChannel, counts);
        }

        foreach (var own in workspace.Own)
            Add(workspace, own.Item, blocked);
        foreach (var walk in context.Walks)
        {
            if ((uint)walk.Item < (uint)workspace.Items)
                Add(workspace, walk.Item, blocked);
        }

        if (workspace.CandidateCount < perChannel)
            Fill(workspace, blocked, perChannel, counts);
    }

    private static void AddBest(
        RankWorkspace workspace, ReadOnlySpan<float> scores, ReadOnlySpan<ulong> blocked, float floor, int count, ReadOnlySpan<float> counts)
    {
        var top = new TopK(workspace.HeapScores.AsSpan(0, count), workspace.HeapItems.AsSpan(0, count), counts);
        top.OfferAll(scores, blocked, floor);
        for (var i = 0; i < top.Count; i++)
            Add(workspace, workspace.HeapItems[i], default);
    }

    /// <summary>A cold user under tight filters, a quiet day: the most popular of the fit part, whatever the channels say.</summary>
    private static void Fill(RankWorkspace workspace, ReadOnlySpan<ulong> blocked, int wanted, ReadOnlySpan<float> counts)
    {
        var top = new TopK(workspace.HeapScores.AsSpan(0, wanted), workspace.HeapItems.AsSpan(0, wanted), counts);
        for (var item = 0; item < workspace.Items; item++)
        {
            if ((blocked[item >> 6] >> (item & 63) & 1) == 0)
                top.Offer(0, item);
        }

        for (var i = 0; i < top.Count; i++)
            Add(workspace, workspace.HeapItems[i], default);
    }

    /// <summary>Once per item; with an empty blocked set the caller has checked it.</summary>
    public static void Add(RankWorkspace workspace, int item, ReadOnlySpan<ulong> blocked)
    {
        var bit = 1UL << (item & 63);
        if ((!blocked.IsEmpty && (blocked[item >> 6] & bit) != 0) || (workspace.IsCandidate[item >> 6] & bit) != 0)
            return;
        workspace.IsCandidate[item >> 6] |= bit;
        workspace.Candidates[workspace.CandidateCount++] = item;
    }
}
