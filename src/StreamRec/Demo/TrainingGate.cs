namespace StreamRec.Demo;

/// <summary>
/// Whether a replay at full speed must wait for training. In real time a run takes minutes of a stream that goes on for months; at full
/// speed the stream would be over before the first run is. So the replay stands still from the event that makes a volume-triggered run
/// due until a run has ended. A run that is due but never starts does not hang the replay: it goes on after <paramref name="patience"/>.
/// One caller.
/// </summary>
internal sealed class TrainingGate(TimeSpan patience, TimeProvider time)
{
    private bool _closed;
    private long _since;
    private int _endedBefore;
    private long _givenUp;

    /// <param name="sent">Good events sent.</param>
    /// <param name="due">Applied events at which the next run is due.</param>
    /// <param name="active">A run is requested or running.</param>
    /// <param name="ended">Runs that have ended so far.</param>
    public bool Closed(long sent, long due, bool active, int ended)
    {
        if (!_closed)
        {
            if (!active && (sent < due || due <= _givenUp))
                return false;
            (_closed, _since, _endedBefore) = (true, time.GetTimestamp(), ended);
            return true;
        }

        if (active)
        {
            _since = time.GetTimestamp();
            return true;
        }

        if (ended == _endedBefore)
        {
            if (time.GetElapsedTime(_since) < patience)
                return true;
            _givenUp = due;
        }

        return _closed = false;
    }
}
