namespace StreamRec.Control;

/// <summary>
/// Due every so often, counted from the start and then from the previous firing. A firing that was missed (the process was
/// down, a run was still going) is made up once, not once per missed interval.
/// </summary>
/// <param name="interval">Time between runs; zero switches the trigger off.</param>
/// <param name="start">When counting begins.</param>
public sealed class IntervalTrigger(TimeSpan interval, DateTimeOffset start)
{
    private DateTimeOffset _last = start;

    /// <summary>Next firing; <see cref="DateTimeOffset.MaxValue"/> when the trigger is off.</summary>
    public DateTimeOffset DueAt => interval <= TimeSpan.Zero ? DateTimeOffset.MaxValue : _last + interval;

    public bool ShouldTrain(DateTimeOffset now)
    {
        if (now < DueAt)
            return false;
        _last = now;
        return true;
    }
}
