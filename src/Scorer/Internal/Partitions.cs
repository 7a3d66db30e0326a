namespace StreamRec.Scorer;

/// <summary>One interactions partition, whoever scores it.</summary>
internal sealed class InteractionPartition(long watermark, int recentIds)
{
    /// <summary>First offset that is not in the live graph yet. Every event is applied when it is at or above, exactly once.</summary>
    public long Watermark { get; set; } = watermark;

    /// <summary>First offset to score: what the group had committed when this instance got the partition.</summary>
    public long ScoreFrom { get; set; }

    /// <summary>Set while this instance owns the partition.</summary>
    public OffsetTracker? Tracker { get; set; }

    /// <summary>The last offset committed by this instance.</summary>
    public long Committed { get; set; } = -1;

    public RecentIds Recent { get; } = new(recentIds);
}

/// <summary>One requests partition this instance owns.</summary>
internal sealed class RequestPartition(int recentIds)
{
    public OffsetTracker Tracker { get; } = new();

    public long Committed { get; set; } = -1;

    /// <summary>Hashes of the request ids answered.</summary>
    public RecentIds Answered { get; } = new(recentIds);
}
