namespace StreamRec.Model;

/// <summary>How finely the windows of <see cref="LiveCounters"/> forget.</summary>
public sealed record LiveCountersOptions
{
    /// <summary>Length of the popularity window, milliseconds. Default 30 days.</summary>
    public long MonthMs { get; init; } = 30L * 86_400_000;

    /// <summary>Length of the trending window, milliseconds. Default 1 day.</summary>
    public long DayMs { get; init; } = 86_400_000;

    /// <summary>
    /// Events are forgotten in steps of this many milliseconds: an event leaves its window up to one step early. Memory is one entry (16 bytes) per
    /// item and step in which it had events. 1 makes the windows exact. Default 1 hour.
    /// </summary>
    public long MonthStepMs { get; init; } = 3_600_000;

    /// <summary>The same for the trending window. Default 1 minute.</summary>
    public long DayStepMs { get; init; } = 60_000;
}

/// <summary>
/// Live popularity in event time: positive events per item in the last 30 days and the last day, and since the start. Shared by evaluator and
/// scorer, so that "popular" means the same offline and online. Indices are model item indices; indices beyond the model (items born after
/// training) are welcome and grow the tables.
/// One writer calls <see cref="Add"/>, <see cref="AdvanceTo"/>; any number of readers may read the counts meanwhile and see them at most one
/// write behind. Add is O(1) amortised; forgetting is O(entries that leave).
/// Event time only moves forward: a late event counts from now on in the newest step, one older than the window not at all.
/// </summary>
public sealed class LiveCounters
{
    private readonly LiveCountersOptions _options;
    private readonly Window _month, _day;
    private int[] _total;

    /// <param name="items">Items to make room for; grows by itself.</param>
    /// <param name="options">Window lengths and steps.</param>
    public LiveCounters(int items = 0, LiveCountersOptions? options = null)
    {
        _options = options ?? new LiveCountersOptions();
        _total = new int[Math.Max(16, items)];
        _month = new Window(_options.MonthMs, _options.MonthStepMs, _total.Length);
        _day = new Window(_options.DayMs, _options.DayStepMs, _total.Length);
    }

    /// <summary>Newest event time seen, Unix milliseconds; long.MinValue before the first.</summary>
    public long NowMs { get; private set; } = long.MinValue;

    /// <summary>Events of the last 30 days per item; may be shorter than the catalogue: items beyond its end have 0.</summary>
    public ReadOnlySpan<int> Month => _month.Counts;

    /// <summary>Events of the last day per item; as <see cref="Month"/>.</summary>
    public ReadOnlySpan<int> Day => _day.Counts;

    /// <summary>All events added per item; as <see cref="Month"/>.</summary>
    public ReadOnlySpan<int> Total => Volatile.Read(ref _total);

    /// <summary>Counts one event. Callers add events of positive weight only (see <see cref="ModelConfig.EventWeights"/>).</summary>
    public void Add(int item, long timeMs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(item);
        AdvanceTo(timeMs);
        if (item >= _total.Length)
        {
            var larger = new int[Math.Max(item + 1, _total.Length * 2)];
            _total.CopyTo(larger, 0);
            Volatile.Write(ref _total, larger);
        }

        _total[item]++;
        _month.Add(item, timeMs, NowMs);
        _day.Add(item, timeMs, NowMs);
    }

    /// <summary>Moves event time forward and forgets what left the windows; a time in the past does nothing.</summary>
    public void AdvanceTo(long nowMs)
    {
        if (nowMs <= NowMs)
            return;
        NowMs = nowMs;
        _month.AdvanceTo(nowMs);
        _day.AdvanceTo(nowMs);
    }

    /// <summary>
    /// The same counters under other item indices: what a scorer does when a model with another item order comes in.
    /// <paramref name="newIndex"/>[old] is the new index, −1 drops the item. O(items + entries). The old object stays as it is.
    /// </summary>
    public LiveCounters Reindex(ReadOnlySpan<int> newIndex, int items)
    {
        var result = new LiveCounters(items, _options) { NowMs = NowMs };
        for (var old = 0; old < Math.Min(newIndex.Length, _total.Length); old++)
        {
            if (newIndex[old] >= 0)
                result._total[newIndex[old]] = _total[old];
        }

        _month.CopyTo(result._month, newIndex);
        _day.CopyTo(result._day, newIndex);
        return result;
    }

    /// <summary>One sliding window: counts per item and a queue of (step, item, count) to take away again.</summary>
    private sealed class Window(long lengthMs, long stepMs, int items)
    {
        private int[] _counts = new int[items];
        private long[] _open = new long[items]; // sequence number + 1 of the item's newest entry
        private Entry[] _queue = new Entry[64];
        private long _head, _tail; // sequence numbers; entry s lives at s mod length
        private long _step = long.MinValue;

        private record struct Entry(long Step, int Item, int Count);

        public ReadOnlySpan<int> Counts => Volatile.Read(ref _counts);

        public void AdvanceTo(long nowMs)
        {
            while (_head < _tail)
            {
                ref var entry = ref _queue[_head & (_queue.Length - 1)];
                if (entry.Step * stepMs > nowMs - lengthMs)
                    break;
                _counts[entry.Item] -= entry.Count;
                _head++;
            }
        }

        public void Add(int item, long timeMs, long nowMs)
        {
            if (timeMs <= nowMs - lengthMs)
                return;
            _step = Math.Max(_step, FloorDiv(timeMs));
            Put(item, 1);
        }

        public void CopyTo(Window target, ReadOnlySpan<int> newIndex)
        {
            for (var s = _head; s < _tail; s++)
            {
                var entry = _queue[s & (_queue.Length - 1)];
                if (entry.Item >= newIndex.Length || newIndex[entry.Item] < 0)
                    continue;
                target._step = entry.Step;
                target.Put(newIndex[entry.Item], entry.Count);
            }

            target._step = _step;
        }

        private void Put(int item, int count)
        {
            if (item >= _counts.Length)
                Grow(item);
            var open = _open[item] - 1;
            if (open >= _head && _queue[open & (_queue.Length - 1)].Step == _step)
            {
                _queue[open & (_queue.Length - 1)].Count += count;
            }
            else
            {
                if (_tail - _head == _queue.Length)
                    GrowQueue();
                _queue[_tail & (_queue.Length - 1)] = new Entry(_step, item, count);
                _open[item] = ++_tail;
            }

            _counts[item] += count;
        }

        private void Grow(int item)
        {
            var length = Math.Max(item + 1, _counts.Length * 2);
            Array.Resize(ref _open, length);
            var counts = new int[length];
            _counts.CopyTo(counts, 0);
            Volatile.Write(ref _counts, counts);
        }

        private void GrowQueue()
        {
            var larger = new Entry[_queue.Length * 2];
            for (var s = _head; s < _tail; s++)
                larger[s & (larger.Length - 1)] = _queue[s & (_queue.Length - 1)];
            _queue = larger;
        }

        private long FloorDiv(long timeMs) => (timeMs / stepMs) - (timeMs % stepMs < 0 ? 1 : 0);
    }
}
