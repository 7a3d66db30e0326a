using MassTransit;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts.Control;
using StreamRec.Model;
using StreamRec.Trainer;

namespace StreamRec.Roles;

/// <summary>
/// Takes waiting runs one at a time and trains them. A message wakes it at once; without one it finds the row at its next poll,
/// so a lost message costs a second and never a run. Cancelling stops the run in progress and leaves its row as cancelled.
/// </summary>
public sealed class TrainerRole(
    Func<TrainRequested, IProgress<TrainingProgress>, CancellationToken, Task<TrainOutcome>> train,
    ModelRegistry registry, ControlSettings settings, IBus bus,
    TimeProvider time, ILogger<TrainerRole> logger)
    : IDisposable
{
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly string _owner = $"{Environment.MachineName}:{Environment.ProcessId}";
    private volatile bool _busy;

    /// <summary>True while a run is in progress.</summary>
    public bool Busy => _busy;

    /// <summary>Look for a waiting run now. Cheap; may be called from any thread.</summary>
    public void Wake()
    {
        lock (_wake)
        {
            if (_wake.CurrentCount == 0)
                _wake.Release();
        }
    }

    /// <summary>Works until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            while (await registry.Runs.ClaimAsync(_owner, settings.DeadAfter, ct) is { } run)
                await TrainAsync(run, ct);
            await _wake.WaitAsync(settings.Poll, ct);
        }
    }

    private async Task TrainAsync(TrainRun run, CancellationToken ct)
    {
        _busy = true;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var progress = new Latest();
        var beat = BeatAsync(run.RunId, progress, stop);
        try
        {
            var request = new TrainRequested(run.RunId, run.Reason, run.FineTune, run.RequestedBy, run.RequestedAt);
            var outcome = await train(request, progress, stop.Token);
            await registry.Runs.EndAsync(run.RunId, outcome.Promoted ? RunStatus.Succeeded : RunStatus.Rejected, outcome.Version, outcome.Why, ct);
            await bus.Publish(new ModelRegistered(outcome.Version, outcome.Promoted ? ModelStatus.Champion : ModelStatus.Rejected, outcome.Metrics), ct);
            if (outcome.Promoted)
                await bus.Publish(new ModelPromoted(outcome.Version, _owner), ct);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await registry.Runs.EndAsync(run.RunId, RunStatus.Cancelled, null, "the trainer was stopped", CancellationToken.None);
            ct.ThrowIfCancellationRequested();
        }
        catch (Exception e)
        {
            // A failed run is an outcome with a row of its own; the trainer goes on serving the next one.
            Log.TrainingFailed(logger, e, run.RunId);
            await registry.Runs.EndAsync(run.RunId, RunStatus.Failed, null, e.Message, ct);
        }
        finally
        {
            await stop.CancelAsync();
            await beat;
            _busy = false;
        }
    }

    /// <summary>Passes progress on and keeps the row alive twice a second; a run that somebody ended is cancelled.</summary>
    private async Task BeatAsync(Guid run, Latest latest, CancellationTokenSource stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                var now = latest.Value ?? new TrainingProgress(run, "start", 0, new Dictionary<string, double>());
                if (!await registry.Runs.ProgressAsync(run, now.Stage, now.Fraction, now.Metrics, stop.Token))
                    await stop.CancelAsync();
                await bus.Publish(now, stop.Token);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The run has ended; there is nothing left to report.
        }
    }

    public void Dispose() => _wake.Dispose();

    /// <summary>Keeps the newest report only; the trainer reports more often than anybody reads.</summary>
    private sealed class Latest : IProgress<TrainingProgress>
    {
        private TrainingProgress? _value;

        public TrainingProgress? Value => Volatile.Read(ref _value);

        public void Report(TrainingProgress value) => Volatile.Write(ref _value, value);
    }
}
