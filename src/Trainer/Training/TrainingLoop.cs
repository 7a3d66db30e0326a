using System.Diagnostics;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Losses;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Training;

/// <summary>
/// The training run, in one place: batches → item vectors from the graph → user vectors → softmax loss → clipped AdamW step.
/// Keeps the weights of the best validation. On CPU with a fixed thread count the same seed gives the same weights.
/// </summary>
/// <param name="model">Trained in place.</param>
/// <param name="sampler">Batches of the training part.</param>
/// <param name="classes">Items that compete in the softmax, ascending: those with a training event. An item nobody met yet would only be pushed down.</param>
/// <param name="options">Settings.</param>
/// <param name="validate">Larger is better; null trains all epochs and keeps the last weights.</param>
public sealed class TrainingLoop(
    GraphRecommender model, SequenceSampler sampler, long[] classes, LoopOptions options, Func<GraphRecommender, double>? validate)
{
    private readonly Parameter[] _parameters = [.. model.Parameters.Select(p => p.Value)];
    private readonly TrainingStatistics _statistics = new();

    /// <param name="seed">For dropout and the sampled softmax; the order of the data has the sampler's.</param>
    /// <param name="progress">Called after each epoch and validation with the fraction done and the numbers so far.</param>
    /// <param name="cancel">Checked before each batch.</param>
    /// <exception cref="TrainingDivergedException">The loss or a gradient is not a finite number.</exception>
    public LoopResult Run(int seed, Action<double, IReadOnlyDictionary<string, double>>? progress, CancellationToken cancel)
    {
        torch.manual_seed(seed);
        var clock = Stopwatch.StartNew();
        using var optimizer = new AdamW(_parameters, 0.9, options.Beta2, 1e-8, options.WeightDecay);
        using var board = options.TensorBoardDirectory is { } directory ? new TensorBoardWriter(directory) : null;
        using var objective = new SoftmaxObjective(model, sampler, classes, options);
        var checkpoint = new Checkpoint(options.CheckpointPath, model, optimizer);
        var best = new BestWeights(model, validate, options.Patience);
        var (epoch, done) = (checkpoint.Resume(best), 0.0);
        long targets = 0;
        var stoppedBy = "epochs";
        for (; epoch < options.Epochs && stoppedBy == "epochs"; epoch++)
        {
            model.Train(true);
            _statistics.StartEpoch();
            var batches = sampler.Epoch(epoch, options.NewerThan, options.Replay);
            for (var b = 0; b < batches.Count; b++)
            {
                cancel.ThrowIfCancellationRequested();
                done = Math.Max((epoch + ((double)b / batches.Count)) / options.Epochs, clock.Elapsed.TotalSeconds / options.MaxSeconds);
                if (done >= 1)
                    break;
                // A function of the step, not of the steps before: a resumed run draws the same masks.
                model.Dropout.Seed(((ulong)(uint)seed << 32) | (uint)optimizer.Steps);
                Step(objective, optimizer, batches[b], LearningRate(done), epoch);
                targets += batches[b].Target.Length;
            }

            done = Math.Max((epoch + 1.0) / options.Epochs, clock.Elapsed.TotalSeconds / options.MaxSeconds);
            var metrics = _statistics.EpochMetrics(epoch, LearningRate(Math.Min(done, 1)), targets, clock.Elapsed);
            if (best.IsDue(done, options.Validations))
                metrics["valid_ndcg_10"] = best.Validate();
            board?.Write(optimizer.Steps, metrics);
            progress?.Invoke(Math.Min(1, done), metrics);
            checkpoint.Save(epoch + 1, best);
            stoppedBy = best.IsExhausted ? "patience" : epoch + 1 < options.Epochs && done >= 1 ? "time" : "epochs";
        }

        best.Keep();
        checkpoint.Delete();
        return new LoopResult(epoch, optimizer.Steps, targets, clock.Elapsed.TotalSeconds, _statistics.Loss, best.Value, stoppedBy);
    }

    private double LearningRate(double done) =>
        // In thousandths of the run rather than in steps: with a time limit the number of steps is not known beforehand.
        Schedule.Cosine(options.LearningRate, (int)(done * 100_000) + 1, (int)(options.WarmupShare * 100_000), 100_000);

    private void Step(SoftmaxObjective objective, AdamW optimizer, SequenceBatch batch, double learningRate, int epoch)
    {
        using var scope = torch.NewDisposeScope();
        var loss = objective.Loss(batch);
        var gradients = torch.autograd.grad([loss], [.. _parameters], allow_unused: true);
        var norm = _statistics.Observe(loss, gradients, model, epoch, optimizer.Steps, learningRate);
        if (norm > options.ClipNorm)
        {
            using var none = torch.no_grad();
            foreach (var gradient in gradients)
                gradient?.mul_(options.ClipNorm / (norm + 1e-6));
        }

        optimizer.Step([.. gradients], learningRate);
    }
}
