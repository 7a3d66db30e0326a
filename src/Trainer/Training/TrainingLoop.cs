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
    /// <summary>How far ahead of the epochs the clock must be to decide, as a share of the run.</summary>
    private const double ClockLead = 0.02;

    private readonly Parameter[] _parameters = [.. model.Parameters.Select(p => p.Value)];
    private readonly TrainingStatistics _statistics = new();
    private readonly Alarms _alarms = new([.. model.Parameters.Select(p => p.Name)]);
    private readonly Dictionary<string, double> _activations = [];

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
        using var average = options.Average > 0 ? new WeightAverage(_parameters, options.Average) : null;
        var checkpoint = new Checkpoint(options.CheckpointPath, model, optimizer, average);
        var best = new BestWeights(model, validate, options.Patience);
        var (epoch, done) = (checkpoint.Resume(best), 0.0);
        long targets = 0;
        var stoppedBy = "epochs";
        for (; epoch < options.Epochs && stoppedBy == "epochs"; epoch++)
        {
            model.Train(true);
            _statistics.StartEpoch();
            var batches = sampler.Epoch(epoch, options.NewerThan, options.Replay);
            var b = 0;
            foreach (var together in batches.Ahead().Chunk(options.Accumulate))
            {
                cancel.ThrowIfCancellationRequested();
                done = Done((epoch + ((double)b / batches.Count)) / options.Epochs, clock);
                if (done >= 1)
                    break;
                Step(objective, optimizer, together, seed, LearningRate(done), epoch, b == 0);
                average?.Update(optimizer.Steps);
                targets += together.Sum(t => (long)t.Target.Length);
                b += together.Length;
            }

            done = Done((epoch + 1.0) / options.Epochs, clock);
            var metrics = _statistics.EpochMetrics(epoch, LearningRate(Math.Min(done, 1)), targets, clock.Elapsed);
            foreach (var (name, value) in _activations)
                metrics[name] = value;
            metrics["gradient_explosions"] = _alarms.Explosions;
            _alarms.EndEpoch(epoch, _statistics.MeanNorm);
            metrics["dead_units"] = _alarms.DeadUnits;
            if (best.IsDue(done, options.Validations))
            {
                average?.Exchange();
                metrics["valid_ndcg_10"] = best.Validate();
                average?.Exchange();
            }

            board?.Write(optimizer.Steps, metrics);
            progress?.Invoke(Math.Min(1, done), metrics);
            checkpoint.Save(epoch + 1, best);
            stoppedBy = best.IsExhausted ? "patience" : epoch + 1 < options.Epochs && done >= 1 ? "time" : "epochs";
        }

        if (validate is null)
            average?.Exchange();
        best.Keep();
        checkpoint.Delete();
        return new LoopResult(epoch, optimizer.Steps, targets, clock.Elapsed.TotalSeconds, _statistics.Loss, best.Value, stoppedBy, _alarms.Raised);
    }

    /// <summary>
    /// The clock decides only where it is clearly ahead: a run that is well within its time has the same learning rates, and so the same weights, however
    /// busy the machine is.
    /// </summary>
    private double Done(double byEpochs, Stopwatch clock) =>
        clock.Elapsed.TotalSeconds / options.MaxSeconds is var byClock && byClock > byEpochs + ClockLead ? byClock : byEpochs;

    private double LearningRate(double done) =>
        // In thousandths of the run rather than in steps: with a time limit the number of steps is not known beforehand.
        Schedule.Cosine(options.LearningRate, (int)(done * 100_000) + 1, (int)(options.WarmupShare * 100_000), 100_000);

    /// <summary>One update from the gradients of some batches, each weighted by its targets.</summary>
    private void Step(SoftmaxObjective objective, AdamW optimizer, SequenceBatch[] batches, int seed, double learningRate, int epoch, bool first)
    {
        using var scope = torch.NewDisposeScope();
        var total = batches.Sum(b => (double)b.Target.Length);
        var (value, sum) = (0.0, new Tensor?[_parameters.Length]);
        for (var part = 0; part < batches.Length; part++)
        {
            // A function of the step, not of the steps before: a resumed run draws the same masks.
            model.Dropout.Seed(((ulong)(uint)seed << 32) | (((ulong)part << 26) ^ (uint)optimizer.Steps));
            using var inner = torch.NewDisposeScope();
            var share = batches[part].Target.Length / total;
            var loss = objective.Loss(batches[part], first && part == 0 ? _activations : null);
            value += share * loss.ToDouble();
            Add(sum, Gradients(loss), share);
            if (options.Adversarial > 0)
                AddAdversarial(objective, batches[part], sum, share);
        }

        var norm = _statistics.Observe(value, sum, model, epoch, optimizer.Steps, learningRate);
        _alarms.Observe(sum, norm, epoch, optimizer.Steps);
        if (norm > options.ClipNorm)
        {
            using var none = torch.no_grad();
            foreach (var gradient in sum)
                gradient?.mul_(options.ClipNorm / (norm + 1e-6));
        }

        optimizer.Step(sum, learningRate);
    }

    private IList<Tensor> Gradients(Tensor loss) => torch.autograd.grad([loss], [.. _parameters], allow_unused: true);

    /// <summary>The gradients where the item table has moved by ε along its own gradient, which is where the loss grows fastest.</summary>
    private void AddAdversarial(SoftmaxObjective objective, SequenceBatch batch, Tensor?[] sum, double share)
    {
        var table = Array.FindIndex(_parameters, p => ReferenceEquals(p, model.Items.Table));
        if (sum[table] is not { } along)
            return;
        Tensor step;
        using (torch.no_grad())
        {
            step = along * (options.Adversarial / (Math.Sqrt(along.square().sum().ToDouble()) + 1e-12));
            _parameters[table].add_(step);
        }

        Add(sum, Gradients(objective.Loss(batch)), share);
        using (torch.no_grad())
            _parameters[table].sub_(step);
    }

    /// <summary>What is kept moves out of the batch's scope.</summary>
    private static void Add(Tensor?[] sum, IList<Tensor> gradients, double share)
    {
        using var none = torch.no_grad();
        for (var i = 0; i < sum.Length; i++)
        {
            if (gradients[i] is not { } gradient)
                continue;
            if (share < 1)
                gradient.mul_(share);
            if (sum[i] is { } before)
                before.add_(gradient);
            else
                sum[i] = gradient.MoveToOuterDisposeScope();
        }
    }
}
