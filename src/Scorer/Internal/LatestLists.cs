using Microsoft.Extensions.Logging;

namespace StreamRec.Scorer;

/// <summary>
/// Brings each user's newest list to Redis without ever holding the scoring thread up: what waits is one list per user, a newer one replaces it.
/// Redis is a view that the next list repairs, so a failure is counted and tried again after a pause, while lists keep going out on Kafka.
/// Bounded: at <see cref="Capacity"/> waiting users further ones are counted as failures. Put and Remove by one thread, the writing by <see cref="RunAsync"/>.
/// </summary>
internal sealed class LatestLists(
    Func<string, byte[], Task> store, Func<string, Task> remove, ScorerStats stats, TimeProvider time, ILogger logger) : IDisposable
{
    public const int Capacity = 100_000;
    private const int WriteTogether = 512;
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private Dictionary<string, byte[]?> _waiting = new(StringComparer.Ordinal);

    /// <summary>Users whose list is not in Redis yet, those being written left out.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
                return _waiting.Count;
        }
    }

    public void Put(string user, byte[] json) => Enter(user, json);

    /// <summary>After an erasure: nothing of the user may stay.</summary>
    public void Remove(string user) => Enter(user, null);

    /// <summary>Writes until cancelled, then writes what waits once more.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            while (true)
            {
                await _work.WaitAsync(ct);
                if (!await WriteWaitingAsync())
                    await Task.Delay(RetryPause, time, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            await WriteWaitingAsync();
        }
    }

    public void Dispose() => _work.Dispose();

    private void Enter(string user, byte[]? json)
    {
        lock (_lock)
        {
            if (_waiting.Count >= Capacity && json is not null && !_waiting.ContainsKey(user))
            {
                stats.CountRedisFailure();
                return;
            }

            _waiting[user] = json;
            if (_work.CurrentCount == 0)
                _work.Release();
        }
    }

    /// <summary>False when Redis refused some; these wait again unless something newer does.</summary>
    private async Task<bool> WriteWaitingAsync()
    {
        Dictionary<string, byte[]?> batch;
        lock (_lock)
            (batch, _waiting) = (_waiting, new Dictionary<string, byte[]?>(StringComparer.Ordinal));
        var failed = new List<KeyValuePair<string, byte[]?>>();
        Exception? error = null;
        foreach (var chunk in batch.Chunk(WriteTogether))
        {
            var writes = chunk.Select(entry => entry.Value is { } json ? store(entry.Key, json) : remove(entry.Key)).ToArray();
            for (var i = 0; i < writes.Length; i++)
            {
                try
                {
                    await writes[i];
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    error = e;
                    failed.Add(chunk[i]);
                }
            }
        }

        if (error is null)
            return true;
        long failures = 0;
        lock (_lock)
        {
            foreach (var (user, json) in failed)
            {
                failures = stats.CountRedisFailure();
                _waiting.TryAdd(user, json);
            }

            if (_work.CurrentCount == 0)
                _work.Release();
        }

        logger.RedisUnreachable(error, failures);
        return false;
    }
}
