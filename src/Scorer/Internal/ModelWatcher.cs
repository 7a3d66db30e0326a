using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>
/// Looks for a new champion and loads it beside the serving one. The registry's row is the truth; a message only makes it look sooner.
/// What cannot be loaded is logged and tried again at the next look, while the old version serves.
/// </summary>
internal sealed class ModelWatcher(ModelRegistry registry, ScorerOptions options, TimeProvider time, ILogger logger) : IDisposable
{
    private readonly SemaphoreSlim _now = new(0, 1);
    private long _version;

    /// <summary>Ends the current pause.</summary>
    public void LookNow()
    {
        try
        {
            _now.Release();
        }
        catch (SemaphoreFullException)
        {
            // A look is due already.
        }
    }

    /// <summary>
    /// The champion when it is another one than at the last call; null otherwise.
    /// <see cref="RankingModel.None"/> when there is none any more.
    /// </summary>
    public async Task<RankingModel?> LookAsync(CancellationToken ct)
    {
        try
        {
            var version = await registry.ChampionVersionAsync(options.ModelName, ct) ?? 0;
            if (version == _version)
                return null;
            return version == 0 ? Take(RankingModel.None, 0) : await LoadAsync(ct);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            logger.RegistryUnreachable(e, _version);
            return null;
        }
    }

    /// <summary>Looks every <see cref="ScorerOptions.ModelPoll"/> and hands over what is new, until cancelled.</summary>
    public async Task RunAsync(Action<RankingModel> offer, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(options.ModelPoll, time);
        var tick = timer.WaitForNextTickAsync(ct).AsTask();
        var now = _now.WaitAsync(ct);
        while (true)
        {
            var first = await Task.WhenAny(tick, now);
            await first; // throws when cancelled
            if (first == tick)
                tick = timer.WaitForNextTickAsync(ct).AsTask();
            else
                now = _now.WaitAsync(ct);
            if (await LookAsync(ct) is { } model)
                offer(model);
        }
    }

    public void Dispose() => _now.Dispose();

    private async Task<RankingModel?> LoadAsync(CancellationToken ct)
    {
        if (await registry.ChampionAsync(options.ModelName, ct) is not { } row)
            return null; // gone between the two questions; the next look sees it
        var path = Path.GetFullPath(row.Path, Path.GetFullPath(options.ArtifactRoot));
        try
        {
            var started = Stopwatch.GetTimestamp();
            var model = await Task.Run(() => RankingModel.Load(path), ct);
            if (model.Version != row.Version)
                throw new InvalidDataException($"the artifact says it is version {model.Version}");
            return Take(model, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            logger.ModelUnusable(e, row.Version, path, _version);
            return null;
        }
    }

    private RankingModel Take(RankingModel model, double loadMs)
    {
        logger.ModelSwapped(model.Version, model.ItemCount, loadMs, _version);
        _version = model.Version;
        return model;
    }
}
