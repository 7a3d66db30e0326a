namespace StreamRec.Replay;

/// <summary>
/// What has been sent to one topic and not yet been taken by every followed group. Thread-safe: delivery reports, offset probes
/// and the sending loop come from different threads. Memory: 16 bytes per outstanding message.
/// </summary>
public sealed class Backlog
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Partition> _partitions = [];
    private readonly int _groups;
    private long _inFlight;
    private long _outstanding;

    /// <param name="groups">Groups that must take a message before it counts as done; 0 counts it done on delivery.</param>
    public Backlog(int groups) => _groups = groups;

    /// <summary>Messages sent and not done.</summary>
    public long Outstanding
    {
        get
        {
            lock (_lock)
                return _inFlight + _outstanding;
        }
    }

    /// <summary>Handed to the producer, no partition known yet.</summary>
    public void Sent()
    {
        lock (_lock)
            _inFlight++;
    }

    /// <summary>The broker has it.</summary>
    public void Delivered(int partition, long offset, int bytes)
    {
        lock (_lock)
        {
            _inFlight--;
            if (!_partitions.TryGetValue(partition, out var state))
                _partitions[partition] = state = new Partition(_groups);
            state.NextOffset = Math.Max(state.NextOffset, offset + 1);
            if (_groups == 0)
                return;
            state.Waiting.Enqueue((offset, bytes));
            state.Bytes += bytes;
            _outstanding++;
        }
    }

    /// <summary>The broker refused it for good.</summary>
    public void Failed()
    {
        lock (_lock)
            _inFlight--;
    }

    /// <summary>A group has taken everything of a partition below an offset. Going back is ignored: what was done stays done.</summary>
    public void Taken(int group, int partition, long nextOffset)
    {
        lock (_lock)
        {
            if (!_partitions.TryGetValue(partition, out var state))
                return;
            state.Taken[group] = Math.Max(state.Taken[group], nextOffset);
            var all = state.Taken.Min();
            while (state.Waiting.TryPeek(out var message) && message.Offset < all)
            {
                state.Waiting.Dequeue();
                state.Bytes -= message.Bytes;
                _outstanding--;
            }
        }
    }

    /// <summary>Messages and bytes of the fullest partitions (not necessarily the same one).</summary>
    public (long Messages, long Bytes) Fullest()
    {
        lock (_lock)
        {
            long messages = 0, bytes = 0;
            foreach (var state in _partitions.Values)
            {
                messages = Math.Max(messages, state.Waiting.Count);
                bytes = Math.Max(bytes, state.Bytes);
            }

            return (messages, bytes);
        }
    }

    /// <summary>How many delivered messages a group has not taken.</summary>
    public long Lag(int group)
    {
        lock (_lock)
        {
            long lag = 0;
            foreach (var state in _partitions.Values)
                lag += state.Waiting.Count(m => m.Offset >= state.Taken[group]);
            return lag;
        }
    }

    /// <summary>The next offset per partition after everything delivered.</summary>
    public IReadOnlyDictionary<int, long> NextOffsets()
    {
        lock (_lock)
            return _partitions.ToDictionary(p => p.Key, p => p.Value.NextOffset);
    }

    private sealed class Partition(int groups)
    {
        public readonly Queue<(long Offset, int Bytes)> Waiting = new();
        public readonly long[] Taken = new long[groups];
        public long Bytes;
        public long NextOffset;
    }
}
