using System.Collections.Concurrent;
using System.Diagnostics;
using StreamRec.Contracts;

namespace StreamRec.Ingest;

/// <summary>
/// What one worker has done since it started, readable from any thread while it runs. The totals over restarts are in Postgres
/// (<c>ingest_offsets</c>, <c>dead_letter_counts</c>).
/// </summary>
public sealed class IngestStats
{
    private readonly long[] _deadLetters = new long[Enum.GetValues<DeadLetterReason>().Length];
    private readonly ConcurrentDictionary<int, long> _lag = [];
    private readonly Queue<(long Ticks, long Total)> _window = new();
    private readonly Lock _gate = new();
    private long _applied;
    private long _duplicates;
    private long _items;
    private long _users;
    private long _erased;
    private long _lost;
    private long _behind;
    private long _waiting;
    private readonly ConcurrentDictionary<string, string> _errors = [];

    /// <summary>Events that are new rows of the graph.</summary>
    public long Applied => Volatile.Read(ref _applied);

    /// <summary>Events the graph had already.</summary>
    public long Duplicates => Volatile.Read(ref _duplicates);

    /// <summary>Catalogue records applied from items.v1 and users.v1.</summary>
    public long Items => Volatile.Read(ref _items);
    public long Users => Volatile.Read(ref _users);

    /// <summary>People erased by a tombstone.</summary>
    public long Erased => Volatile.Read(ref _erased);

    /// <summary>Offsets the broker had dropped before they were read. Above zero the worker is unhealthy until an operator looks.</summary>
    public long Lost => Volatile.Read(ref _lost);

    /// <summary>
    /// Events decoded and not applied yet; bounded by the options, because a partition
    /// that has enough of them is paused. Refreshed about twice a second.
    /// </summary>
    public long Waiting => Volatile.Read(ref _waiting);

    /// <summary>Partitions whose part of Redis is being replayed from Postgres.</summary>
    public long RedisBehind => Volatile.Read(ref _behind);

    /// <summary>Records set aside, by reason, of all three topics.</summary>
    public IReadOnlyDictionary<DeadLetterReason, long> DeadLetters =>
        Enum.GetValues<DeadLetterReason>().Where(r => DeadLettersOf(r) > 0).ToDictionary(r => r, DeadLettersOf);

    public long DeadLetterTotal => DeadLetters.Values.Sum();

    /// <summary>Interactions on the log of the owned partitions that are not in the graph yet; refreshed about every second and after each batch.</summary>
    public long Lag => _lag.Values.Sum();

    /// <summary>Lag per owned partition.</summary>
    public IReadOnlyDictionary<int, long> LagByPartition => _lag;

    /// <summary>False after lost input or while the last attempt of something failed.</summary>
    public bool Healthy => Lost == 0 && LastError is null;

    /// <summary>What is failing right now, if anything.</summary>
    public string? LastError => _errors.Values.FirstOrDefault() ?? Trouble();

    /// <summary>What the graph store is retrying, if anything.</summary>
    internal Func<string?> Trouble { get; init; } = () => null;

    /// <summary>Events dealt with per second over about the last five seconds.</summary>
    public double PerSecond
    {
        get
        {
            lock (_gate)
            {
                var (now, total) = (Stopwatch.GetTimestamp(), Applied + Duplicates + DeadLetterTotal);
                _window.Enqueue((now, total));
                while (_window.Count > 2 && Stopwatch.GetElapsedTime(_window.Peek().Ticks, now) > TimeSpan.FromSeconds(5))
                    _window.Dequeue();
                var (start, before) = _window.Peek();
                var seconds = Stopwatch.GetElapsedTime(start, now).TotalSeconds;
                return seconds <= 0 ? 0 : (total - before) / seconds;
            }
        }
    }

    internal void AddBatch(long applied, long duplicates)
    {
        Interlocked.Add(ref _applied, applied);
        Interlocked.Add(ref _duplicates, duplicates);
        Metrics.Applied.Add(applied);
        Metrics.Duplicates.Add(duplicates);
    }

    internal void AddDeadLetters(IReadOnlyDictionary<DeadLetterReason, long> counts)
    {
        foreach (var (reason, count) in counts)
        {
            Interlocked.Add(ref _deadLetters[(int)reason], count);
            Metrics.DeadLetters.Add(count, new KeyValuePair<string, object?>("reason", reason.Code()));
        }
    }

    internal void AddItems(long count) => Interlocked.Add(ref _items, count);

    internal void AddUsers(long count) => Interlocked.Add(ref _users, count);

    internal void AddErased() => Interlocked.Increment(ref _erased);

    internal void AddLost(long count)
    {
        Interlocked.Add(ref _lost, count);
        Metrics.Lost.Add(count);
    }

    internal void SetLag(int partition, long lag)
    {
        _lag[partition] = lag;
        Metrics.Lag.Record(lag, new KeyValuePair<string, object?>("partition", partition));
    }

    internal void DropPartition(int partition)
    {
        _lag.TryRemove(partition, out _);
        Metrics.Lag.Record(0, new KeyValuePair<string, object?>("partition", partition)); // its next owner tells
    }

    internal void SetWaiting(long events) => Volatile.Write(ref _waiting, events);

    internal void SetRedisBehind(long partitions)
    {
        Volatile.Write(ref _behind, partitions);
        Metrics.RedisBehind.Record(partitions);
    }

    /// <param name="place">What fails, such as a partition: its next success takes the error away.</param>
    /// <param name="error">The error, or null after a success.</param>
    internal void SetError(string place, string? error)
    {
        if (error is null)
            _errors.TryRemove(place, out _);
        else
            _errors[place] = error;
    }

    private long DeadLettersOf(DeadLetterReason reason) => Volatile.Read(ref _deadLetters[(int)reason]);
}
