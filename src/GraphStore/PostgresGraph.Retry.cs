using System.Collections.Concurrent;
using Npgsql;

namespace StreamRec.GraphStore;

public sealed partial class PostgresGraph
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Runs one batch until its outcome is known. A lost connection leaves the commit's outcome open, so before every retry the
    /// stored offset decides: at the batch's end it was committed, at its start it was not, anywhere else somebody else moved it.
    /// </summary>
    private async Task<ApplyResult> RetryAsync(
        string topic, int partition, long expected, long next, Func<CancellationToken, Task<ApplyResult>> once,
        Func<CancellationToken, Task<ApplyResult>> recount, CancellationToken cancellation)
    {
        try
        {
            return await PersistAsync(topic, partition, expected, async attempt =>
            {
                if (attempt == 1)
                    return await once(cancellation);
                Metrics.BatchRetries.Add(1);
                if (!await WasCommittedAsync(topic, partition, expected, next, cancellation))
                    return await once(cancellation);
                Log.BatchWasCommitted(_log, topic, partition, expected);
                return await recount(cancellation);
            }, cancellation);
        }
        catch (PostgresException e) when (e.SqlState == Fenced)
        {
            throw new FencedException(topic, partition, expected, e);
        }
    }

    /// <summary>What a batch that is being tried again last failed with; null while none is. A first failure does not count: most are over at once.</summary>
    public string? Trouble => _retried.Values.FirstOrDefault();

    private readonly ConcurrentDictionary<(string Topic, int Partition), string> _retried = [];

    /// <summary>One batch's entry among the troubles, gone when the batch is.</summary>
    private readonly struct Retried(ConcurrentDictionary<(string, int), string> all, (string, int) batch) : IDisposable
    {
        public void Failed(int attempt, string error)
        {
            if (attempt > 1)
                all[batch] = error;
        }

        public void Dispose() => all.TryRemove(batch, out _);
    }

    private async Task<bool> WasCommittedAsync(string topic, int partition, long expected, long next, CancellationToken cancellation)
    {
        await using var connection = await OpenAsync(cancellation);
        await using var query = new NpgsqlCommand("select next_offset from ingest_offsets where topic = $1 and partition = $2", connection);
        query.Parameters.Add(new() { Value = topic });
        query.Parameters.Add(new() { Value = partition });
        var stored = await query.ExecuteScalarAsync(cancellation) as long?;
        if (stored == expected)
            return false;
        return stored == next ? true : throw new FencedException(topic, partition, expected);
    }

    /// <summary>Repeats through outages what may be repeated; it is told which attempt it is, from 1.</summary>
    private async Task<T> PersistAsync<T>(string topic, int partition, long offset, Func<int, Task<T>> act, CancellationToken cancellation)
    {
        using var trouble = new Retried(_retried, (topic, partition));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await act(attempt);
            }
            catch (NpgsqlException e) when (IsOutage(e))
            {
                Forget(e);
                var delay = Delay(attempt, e);
                trouble.Failed(attempt, e.Message);
                Log.BatchRetried(_log, topic, partition, offset, attempt, delay.TotalMilliseconds, e.Message);
                await Task.Delay(delay, cancellation);
            }
        }
    }

    /// <summary>Whether an error is the server's state (away, restarting, full, deadlocked), which the same call can survive, and not the call's.</summary>
    public static bool IsOutage(NpgsqlException e) => e switch
    {
        PostgresException p => p.SqlState is StaleKeys or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure
            or PostgresErrorCodes.CheckViolation // no partition for a row: retention dropped it since it was remembered
            or PostgresErrorCodes.ObjectInUse or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled
            or PostgresErrorCodes.IoError
            || p.SqlState.StartsWith("53", StringComparison.Ordinal)  // disk full, out of memory, too many connections
            || p.SqlState.StartsWith("57P", StringComparison.Ordinal) // shutting down, starting up
            || p.SqlState.StartsWith("08", StringComparison.Ordinal),
        _ => true, // the connection broke, could not be opened, or timed out
    };

    /// <summary>What was remembered may be what was wrong.</summary>
    private void Forget(NpgsqlException e)
    {
        if (e is not PostgresException p)
            return;
        if (p.SqlState == StaleKeys)
        {
            lock (_keys.Gate)
                _keys.Clear();
        }
        else if (p.SqlState == PostgresErrorCodes.CheckViolation)
        {
            _months.Clear();
        }
    }

    private static TimeSpan Delay(int attempt, NpgsqlException e)
    {
        if (e is PostgresException { SqlState: StaleKeys or PostgresErrorCodes.CheckViolation } && attempt < 3)
            return TimeSpan.Zero;
        var longest = Math.Min(LongestDelay.TotalMilliseconds, FirstDelay.TotalMilliseconds * Math.Pow(2, Math.Min(attempt - 1, 10)));
        return TimeSpan.FromMilliseconds(longest * (0.5 + (Random.Shared.NextDouble() / 2)));
    }
}
