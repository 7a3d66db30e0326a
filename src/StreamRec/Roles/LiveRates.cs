namespace StreamRec.Roles;

/// <summary>Turns a running total into a rate over the last seconds. Thread-safe.</summary>
public sealed class LiveRates(TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);
    private readonly Queue<(long At, long Total)> _points = new();

    /// <summary>Adds a reading and returns events per second since the oldest reading of the window.</summary>
    public double PerSecond(long total)
    {
        lock (_points)
        {
            var now = time.GetTimestamp();
            _points.Enqueue((now, total));
            while (_points.Count > 2 && time.GetElapsedTime(_points.Peek().At, now) > Window)
                _points.Dequeue();
            var (at, first) = _points.Peek();
            var seconds = time.GetElapsedTime(at, now).TotalSeconds;
            return seconds > 0 ? (total - first) / seconds : 0;
        }
    }
}
