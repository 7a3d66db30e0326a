using System.Globalization;
using MassTransit;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Contracts.Control;
using StreamRec.Control;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Roles;

/// <summary>
/// Asks for training: when an interval has passed and when enough new events have been applied. Both go the way of <c>streamrec train</c>:
/// a row in train_runs, then a message. Events are counted from Postgres, so it does not matter which process ingests.
/// </summary>
public sealed class Triggers(
    ControlSettings settings, PostgresGraph graph, ModelRegistry registry, string modelName, string interactionsTopic,
    IBus bus, TimeProvider time, ILogger<Triggers> logger)
{
    private VolumeTrigger _volume = new(settings.TrainAfterEvents);
    private bool _started;
    private readonly IntervalTrigger _interval = new(settings.TrainEvery, time.GetUtcNow());

    /// <summary>Applied events at which the next volume-triggered run is due; <see cref="long.MaxValue"/> when off.</summary>
    public long NextVolume => _volume.DueAt;

    /// <summary>Looks at the triggers until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(settings.Poll, time);
        do
        {
            await LookAsync(ct);
        }
        while (await timer.WaitForNextTickAsync(ct));
    }

    /// <summary>One look. Costs one round trip, and two more when a run is asked for.</summary>
    public async Task LookAsync(CancellationToken ct)
    {
        var progress = await graph.ProgressAsync(interactionsTopic, ct);
        var applied = progress.Sum(p => p.Applied);
        if (!_started)
            (_volume, _started) = (new VolumeTrigger(settings.TrainAfterEvents, applied - await NewerAsync(progress, applied, ct)), true);
        if (_volume.ShouldTrain(applied))
            await RequestAsync(registry, bus, $"volume: {applied:N0} events applied", settings.FineTune, "volume trigger", ct);
        else if (_interval.ShouldTrain(time.GetUtcNow()))
            await RequestAsync(registry, bus, $"interval: every {settings.TrainEvery}", settings.FineTune, "interval trigger", ct);
        else
            return;
        Log.TrainingAsked(logger, applied);
    }

    /// <summary>
    /// Events the champion was not trained on, so that a restart goes on counting
    /// where the process before it stood. Dead letters count as events here.
    /// </summary>
    private async Task<long> NewerAsync(IReadOnlyList<PartitionProgress> progress, long applied, CancellationToken ct)
    {
        if (await registry.ChampionAsync(modelName, ct) is not { } champion)
            return applied;
        var seen = champion.Manifest.Data.NextOffsets;
        return Math.Min(applied, progress.Sum(p => Math.Max(0, p.NextOffset - seen.GetValueOrDefault(p.Partition.ToString(CultureInfo.InvariantCulture)))));
    }

    /// <summary>The one way to ask for a run: the row first, then the hint. Returns the run's id.</summary>
    public static async Task<Guid> RequestAsync(ModelRegistry registry, IPublishEndpoint? bus, string reason, bool fineTune, string by, CancellationToken ct)
    {
        var run = Guid.CreateVersion7();
        await registry.Runs.RequestAsync(run, reason, fineTune, by, ct);
        if (bus is not null)
            await bus.Publish(new TrainRequested(run, reason, fineTune, by, DateTimeOffset.UtcNow), ct);
        return run;
    }
}
