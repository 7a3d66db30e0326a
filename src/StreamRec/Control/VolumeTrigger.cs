namespace StreamRec.Control;

/// <summary>
/// Decides when enough new events have been applied since the newest training run. Pure: the caller brings the counts,
/// so the same decision can be previewed and tested without a server.
/// </summary>
/// <param name="every">New events that are worth a run; 0 switches the trigger off.</param>
/// <param name="trainedAt">Events applied when the model in service was trained; 0 without one.</param>
public sealed class VolumeTrigger(long every, long trainedAt = 0)
{
    private long _trainedAt = trainedAt;

    /// <summary>Events applied when the newest run was asked for.</summary>
    public long TrainedAt => _trainedAt;

    /// <summary>The applied count at which the next run is due; <see cref="long.MaxValue"/> when the trigger is off.</summary>
    public long DueAt => every <= 0 ? long.MaxValue : _trainedAt + every;

    /// <summary>True once per crossing: asking again at the same count answers false.</summary>
    public bool ShouldTrain(long applied)
    {
        if (applied < DueAt)
            return false;
        _trainedAt = applied;
        return true;
    }
}
