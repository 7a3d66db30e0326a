using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Contracts.Control;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.External;

namespace StreamRec.Trainer;

/// <summary>
/// The trainer role: graph snapshot → <see cref="ModelTrainer"/> → artifact → registry row → promotion. The caller claims runs (one at a time, see
/// <see cref="TrainRuns"/>) and ends them; this class only does the work of one. Nothing is served before the artifact is on disk with its checksums and
/// its row is written.
/// </summary>
public sealed class TrainerWorker
{
    private readonly TrainerOptions _options;
    private readonly PostgresGraph _graph;
    private readonly ModelRegistry _registry;
    private readonly EventTypes _types;
    private readonly Func<IReadOnlyList<ItemRecord>, CancellationToken, TextVectors?>? _text;
    private readonly ILogger _logger;

    /// <param name="options">Validated here.</param>
    /// <param name="graph">Where the snapshot comes from.</param>
    /// <param name="registry">Where versions are numbered, registered and promoted.</param>
    /// <param name="types">Event types and their weights.</param>
    /// <param name="text">Vectors of the items' texts, in their order; null trains without text.</param>
    /// <param name="loggers">For category StreamRec.Trainer.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public TrainerWorker(
        TrainerOptions options, PostgresGraph graph, ModelRegistry registry, EventTypes types,
        Func<IReadOnlyList<ItemRecord>, CancellationToken, TextVectors?>? text, ILoggerFactory loggers)
    {
        options.Validate();
        (_options, _graph, _registry, _types, _text) = (options, graph, registry, types, text);
        _logger = loggers.CreateLogger("StreamRec.Trainer");
    }

    /// <summary>
    /// Trains and judges one model. A refused one is registered as rejected and its artifact kept for inspection. Takes seconds to hours of all
    /// threads of <see cref="TrainerOptions.Threads"/>, off the caller's thread.
    /// </summary>
    /// <param name="request">Who asked, and whether to start from the champion.</param>
    /// <param name="progress">After each epoch and stage; may be null.</param>
    /// <param name="ct">Stops within one batch; nothing is registered then.</param>
    /// <exception cref="NotEnoughDataException">Too few interactions.</exception>
    public async Task<TrainOutcome> TrainAsync(TrainRequested request, IProgress<TrainingProgress>? progress, CancellationToken ct)
    {
        void Report(string stage, double fraction, IReadOnlyDictionary<string, double> metrics) =>
            progress?.Report(new TrainingProgress(request.RunId, stage, fraction, new Dictionary<string, double>(metrics)));

        Report("snapshot", 0, new Dictionary<string, double>());
        var clock = Stopwatch.StartNew();
        var snapshot = await _graph.SnapshotAsync(null, ct);
        var read = clock.Elapsed;
        var champion = await ChampionAsync(ct);
        var version = await _registry.NextVersionAsync(ct);
        var trained = await Task.Factory.StartNew(
            () =>
            {
                var text = snapshot.Count >= _options.MinInteractions ? _text?.Invoke(snapshot.Items, ct) : null;
                Log.SnapshotRead(_logger, snapshot.Count, read.TotalSeconds, snapshot.Items.Length, (clock.Elapsed - read).TotalSeconds);
                return new ModelTrainer(_options, _types, _logger).Train(snapshot, text, champion, request.FineTune, version, Report, ct);
            },
            ct, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return await PublishAsync(trained, version, request.RequestedBy, ct);
    }

    /// <summary>Assembles, judges and registers what an external trainer hands back; promoted only if the gate accepts it, like any other model.</summary>
    /// <param name="folder">See <see cref="ExternalModel"/>.</param>
    /// <param name="by">Who, for the audit.</param>
    /// <param name="ct">Stops between events; nothing is registered then.</param>
    /// <exception cref="InvalidDataException">The folder holds no such model.</exception>
    /// <exception cref="NotEnoughDataException">Too few events are newer than what it has learned.</exception>
    public async Task<TrainOutcome> ImportAsync(string folder, string by, CancellationToken ct)
    {
        var external = ExternalModel.Load(folder);
        var snapshot = await _graph.SnapshotAsync(null, ct);
        var champion = await ChampionAsync(ct);
        var version = await _registry.NextVersionAsync(ct);
        var trained = await Task.Factory.StartNew(
            () => new ExternalTrainer(_options, _types).Assemble(external, snapshot, _text?.Invoke(snapshot.Items, ct), champion, version, ct),
            ct, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return await PublishAsync(trained, version, by, ct);
    }

    private async Task<TrainOutcome> PublishAsync(TrainedModel trained, long version, string by, CancellationToken ct)
    {
        Directory.CreateDirectory(_options.ModelsDirectory);
        var directory = Path.GetFullPath(ModelArtifact.DirectoryOf(_options.ModelsDirectory, version));
        var manifest = trained.Artifact.Write(directory);
        await _registry.RegisterAsync(manifest, directory, trained.Accepted ? ModelStatus.Candidate : ModelStatus.Rejected, by, ct);
        if (trained.Accepted)
            await _registry.PromoteAsync(version, by, ct);
        Log.Judged(_logger, version, trained.Accepted ? "promoted" : "refused", trained.Why);
        Metrics.Runs.Add(1, new KeyValuePair<string, object?>("result", trained.Accepted ? "promoted" : "rejected"));
        return new TrainOutcome(version, trained.Accepted, trained.Why, manifest.Metrics);
    }

    private async Task<Champion?> ChampionAsync(CancellationToken ct)
    {
        var row = await _registry.ChampionAsync(_options.ModelName, ct);
        if (row is null)
            return null;
        try
        {
            return new Champion(ModelArtifact.Load(row.Path));
        }
        catch (InvalidDataException e)
        {
            // A champion nobody can load is no opponent. Scorers say the same about it, each in its own log.
            Log.ChampionUnreadable(_logger, e, row.Version, row.Path);
            return null;
        }
    }
}
