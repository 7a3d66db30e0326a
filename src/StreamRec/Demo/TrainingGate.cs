namespace StreamRec.Demo;

/// <summary>
/// Whether a replay at full speed must wait for training. In real time a run takes minutes of a stream that goes on for months; at full
/// speed the stream would be over before the first run is. So the replay stands still from the event that makes a volume-triggered run
/// due until the run has ended. A run that is due but never starts does not hang the replay: it goes on after <paramref name="patience"/>.
/// One caller.
/// </summary>
internal sealed class TrainingGate(TimeSpan patience, TimeProvider time)
{
    private long _waitingFor = long.MaxValue;
    private long _since;

    /// <param name="sent">Good events sent.</param>
    /// <param name="due">Applied events at which the next run is due.</param>
    /// <param name="active">A run is requested or running.</param>
    public bool Closed(long sent, long due, bool active)
    {
        if (active)
        {
            _waitingFor = long.MaxValue;
            return true;
        }

        if (sent < due)
            return false;
        if (_waitingFor != due)
            (_waitingFor, _since) = (due, time.GetTimestamp());
        return time.GetElapsedTime(_since) < patience;
    }
}
