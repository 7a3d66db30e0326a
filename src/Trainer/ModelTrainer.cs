using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;

namespace StreamRec.Trainer;

/// <summary>Called as a run goes on: stage, fraction of the whole run, newest numbers.</summary>
public delegate void TrainProgress(string stage, double fraction, IReadOnlyDictionary<string, double> metrics);

/// <summary>
/// One training run without servers: events in, judged artifact out.
/// <list type="number">
/// <item>fit: graph layers and user encoder on the train part, early stopping on the
/// validation part (fine-tuning: from the champion, new edges and replay);</item>
/// <item>blend: the channels fitted on the train part, their mix learned on the validation part;</item>
/// <item>advance: everything up to the holdout is learned; judged on the holdout beside its channels, popularity and the champion, on identical events;</item>
/// <item>gate; if accepted, the holdout is learned too (<see cref="TrainerOptions.FinalFit"/>).
/// The metrics are those of the weights before this last step.</item>
/// </list>
/// One run at a time per process: libtorch's random generator is shared. Synchronous and CPU-bound.
/// </summary>
public sealed class ModelTrainer(TrainerOptions options, EventTypes types, ILogger logger)
{
    /// <param name="snapshot">What happened.</param>
    /// <param name="text">Of the snapshot's items; null trains without text.</param>
    /// <param name="champion">In service now; null for the first model.</param>
    /// <param name="fineTune">Start from the champion; without one the run is a full one.</param>
    /// <param name="version">For the manifest.</param>
    /// <param name="progress">May be null.</param>
    /// <param name="cancel">Checked before each batch and event.</param>
    /// <exception cref="NotEnoughDataException">Fewer interactions than <see cref="TrainerOptions.MinInteractions"/>.</exception>
    /// <exception cref="TrainingDivergedException">The descent ran away.</exception>
    public TrainedModel Train(
        GraphSnapshot snapshot, TextVectors? text, Champion? champion, bool fineTune, long version, TrainProgress? progress, CancellationToken cancel)
    {
        options.Validate();
        if (snapshot.Count < options.MinInteractions)
            throw new NotEnoughDataException($"{snapshot.Count} interactions are too few to learn from; Trainer.MinInteractions is {options.MinInteractions}");
        var clock = Stopwatch.StartNew();
        TorchRuntime.Prepare(options.Threads);
        var data = new TrainingData(snapshot, text, types, options.MaxCategories);
        using var run = new TrainingRun(options, data, champion, fineTune, version, progress, logger, cancel);
        run.Fit();
        run.LearnBlend();
        run.Advance("advance", run.Split.ValidEnd, 0.62, 0.72);
        var report = run.Judge();
        var (accepted, why) = report.Decide(options.GateTolerance);
        if (accepted && options.FinalFit)
            run.Advance("final", run.Split.End, 0.85, 1);
        var metrics = report.ToMetrics();
        foreach (var (name, value) in run.Metrics)
            metrics[name] = value;
        metrics["train_s"] = clock.Elapsed.TotalSeconds;
        return new TrainedModel(run.ToArtifact(metrics), accepted, why);
    }
}
