namespace StreamRec.Replay;

/// <summary>Why the replay waits.</summary>
public enum Hold
{
    None,

    /// <summary>Too many events are not yet taken by the slowest group.</summary>
    Lag,

    /// <summary>One partition holds more than the broker is sure to keep.</summary>
    PartitionFull,

    /// <summary>A training run is due or under way, and at full speed it would otherwise see the stream's end before it is done.</summary>
    Training,
}

/// <summary>When to wait. Pure: the state comes in, the decision goes out.</summary>
public static class HoldBack
{
    /// <param name="options">The limits.</param>
    /// <param name="outstanding">Messages sent and not yet taken by all followed groups.</param>
    /// <param name="fullestMessages">The most such messages in one partition.</param>
    /// <param name="fullestBytes">The most such bytes in one partition.</param>
    /// <param name="training">A volume-triggered run is due or under way.</param>
    public static Hold Decide(ReplayOptions options, long outstanding, long fullestMessages, long fullestBytes, bool training)
    {
        if (fullestMessages >= options.MaxPartitionMessages || fullestBytes >= options.MaxPartitionBytes)
            return Hold.PartitionFull;
        if (outstanding >= options.MaxOutstanding)
            return Hold.Lag;
        // At a given speed the clock rules: a run takes the time it takes, as it would in production.
        return training && options.Speed is null ? Hold.Training : Hold.None;
    }
}
