using System.Diagnostics;
using Confluent.Kafka;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Ingest;

/// <summary>A batch with what was set aside in it.</summary>
internal sealed class IngestBatch(string topic, int partition)
{
    /// <summary>Dead letters keep their bytes until produced: a batch ends at this many.</summary>
    public const int MaxSetAsideBytes = 2 * 1024 * 1024;

    public InteractionBatch Graph { get; } = new(topic, partition);
    public List<SetAside> SetAside { get; } = [];

    /// <summary>Where above zero: offsets from <see cref="LostFrom"/> to the batch's start are gone from the broker.</summary>
    public long LostFrom { get; set; } = -1;
    public long Since { get; private set; }
    private int _setAsideBytes;

    public bool IsFull(int maxEvents) => Graph.NextOffset - Graph.ExpectedOffset >= maxEvents || _setAsideBytes >= MaxSetAsideBytes;

    public void Reset(long expected)
    {
        Graph.Reset(expected);
        SetAside.Clear();
        LostFrom = -1;
        _setAsideBytes = 0;
        Since = 0;
    }

    public void Add(long offset, in Decoded record, long loggedMs, Headers? headers)
    {
        if (Since == 0)
            Since = Stopwatch.GetTimestamp();
        if (record.Reason == DeadLetterReason.None)
        {
            Graph.Add(offset, record.Event, loggedMs);
            return;
        }

        var aside = new SetAside(Graph.Topic, Graph.Partition, offset, record.Key, record.Value, record.Length, headers, record.Reason, record.Detail);
        SetAside.Add(aside);
        _setAsideBytes += aside.Size;
        Graph.AddDeadLetter(offset, record.Reason);
    }
}

/// <summary>
/// Decoded records between the consuming thread (one, adds) and the partition's worker (one, takes). Bounded: the consumer waits while it is full, for a moment
/// (<see cref="WaitForRoom"/>), then pauses the partition until it <see cref="HasRoom"/>. Batches are reused.
/// </summary>
internal sealed class PartitionBuffer : IDisposable
{
    private readonly IngestOptions _options;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _signal = new(0);
    private readonly ManualResetEventSlim _room = new(true); // set where not full
    private readonly Queue<IngestBatch> _ready = new();
    private readonly Stack<IngestBatch> _spare = new();
    private IngestBatch _filling;
    private bool _completed;

    public PartitionBuffer(IngestOptions options, TopicPartition partition, long next)
    {
        _options = options;
        Partition = partition;
        _filling = new IngestBatch(partition.Topic, partition.Partition);
        _filling.Reset(next);
        NextInput = next;
    }

    public TopicPartition Partition { get; }

    /// <summary>The offset the consumer should see next. Consuming thread only.</summary>
    public long NextInput { get; private set; }

    public bool HasRoom
    {
        get
        {
            lock (_gate)
                return _ready.Count * 2 <= _options.MaxWaitingBatches;
        }
    }

    /// <summary>Whether <see cref="TakeAsync"/> would answer at once with a full batch: more is to come.</summary>
    public bool HasReady
    {
        get
        {
            lock (_gate)
                return _ready.Count > 0;
        }
    }

    /// <summary>Decoded records not taken yet.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
                return _ready.Sum(b => b.Graph.Events.Count) + _filling.Graph.Events.Count;
        }
    }

    public void Add(long offset, in Decoded record, long loggedMs, Headers? headers)
    {
        NextInput = offset + 1;
        lock (_gate)
        {
            var first = _filling.Graph.IsEmpty;
            _filling.Add(offset, record, loggedMs, headers);
            if (_filling.IsFull(_options.MaxBatchEvents))
                Close();
            else if (!first)
                return;
        }

        _signal.Release();
    }

    /// <summary>The broker no longer has what lies between <see cref="NextInput"/> and <paramref name="low"/>.</summary>
    public void Lose(long low)
    {
        lock (_gate)
        {
            if (!_filling.Graph.IsEmpty)
                Close();
            var from = _filling.LostFrom >= 0 ? _filling.LostFrom : NextInput;
            _filling.Reset(low);
            _filling.LostFrom = from;
        }

        NextInput = low;
    }

    /// <summary>No more records come. What is here is still given out, unless dropped.</summary>
    public void Complete(bool drop)
    {
        lock (_gate)
        {
            _completed = true;
            if (drop)
            {
                _ready.Clear();
                _room.Set();
                _filling.Reset(_filling.Graph.ExpectedOffset);
            }
        }

        _signal.Release();
    }

    /// <summary>The next batch: a full one at once, else what is there when its oldest record has waited long enough. Null at the end.</summary>
    public async Task<IngestBatch?> TakeAsync(CancellationToken cancellation)
    {
        while (true)
        {
            TimeSpan wait;
            lock (_gate)
            {
                if (_ready.Count > 0)
                    return Dequeue();
                var empty = _filling.Graph.IsEmpty;
                if (empty && _completed)
                    return null;
                wait = empty ? Timeout.InfiniteTimeSpan : _options.MaxBatchAge - Stopwatch.GetElapsedTime(_filling.Since);
                if (!empty && (_completed || wait <= TimeSpan.Zero))
                {
                    Close();
                    return Dequeue();
                }
            }

            await _signal.WaitAsync(wait, cancellation);
        }
    }

    /// <summary>Blocks while full. False where it still is after the patience.</summary>
    public bool WaitForRoom(TimeSpan patience, CancellationToken cancellation) => _room.Wait(patience, cancellation);

    public void Return(IngestBatch batch)
    {
        lock (_gate)
            _spare.Push(batch);
    }

    public void Dispose()
    {
        _signal.Dispose();
        _room.Dispose();
    }

    private IngestBatch Dequeue()
    {
        var batch = _ready.Dequeue();
        if (_ready.Count < _options.MaxWaitingBatches)
            _room.Set();
        return batch;
    }

    private void Close()
    {
        var next = _filling.Graph.NextOffset;
        _ready.Enqueue(_filling);
        if (_ready.Count >= _options.MaxWaitingBatches)
            _room.Reset();
        _filling = _spare.TryPop(out var spare) ? spare : new IngestBatch(Partition.Topic, Partition.Partition);
        _filling.Reset(next);
    }
}
