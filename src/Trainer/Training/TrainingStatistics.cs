using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Training;

/// <summary>The loss or a gradient stopped being a finite number; the message names the place. The model's weights are of no use.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);

/// <summary>Loss and gradients as the run goes, with the alarm on numbers that are none.</summary>
internal sealed class TrainingStatistics
{
    private double _lossSum;
    private double _normSum;
    private double _normMax;
    private int _steps;

    /// <summary>Mean loss of the current epoch, of the one before as long as this has no step; NaN before the first.</summary>
    public double Loss { get; private set; } = double.NaN;

    public void StartEpoch() => (_lossSum, _normSum, _normMax, _steps) = (0, 0, 0, 0);

    /// <summary>Adds one step and returns the norm of the whole gradient.</summary>
    /// <exception cref="TrainingDivergedException">Loss or norm is not finite.</exception>
    public double Observe(double value, IReadOnlyList<Tensor?> gradients, GraphRecommender model, int epoch, int step, double learningRate)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var squares = gradients.OfType<Tensor>().Select(g => g.square().sum()).ToList();
        var norm = Math.Sqrt(torch.stack(squares).sum().ToDouble());
        if (!double.IsFinite(value) || !double.IsFinite(norm))
        {
            var culprit = model.Parameters.Zip(gradients).FirstOrDefault(p => p.Second is not null && !double.IsFinite(p.Second.square().sum().ToDouble()));
            throw new TrainingDivergedException(
                $"training diverged in epoch {epoch + 1}, step {step + 1}: loss {value}, gradient norm {norm}, "
                + $"first parameter with a bad gradient '{culprit.First.Name ?? "none"}', learning rate {learningRate:g3}; "
                + "a lower Trainer.LearningRate or ClipNorm usually helps");
        }

        (_lossSum, _normSum, _normMax, _steps) = (_lossSum + value, _normSum + norm, Math.Max(_normMax, norm), _steps + 1);
        Loss = _lossSum / _steps;
        return norm;
    }

    /// <summary>Mean gradient norm of the current epoch.</summary>
    public double MeanNorm => _normSum / Math.Max(1, _steps);

    public Dictionary<string, double> EpochMetrics(int epoch, double learningRate, long targets, TimeSpan elapsed) => new()
    {
        ["epoch"] = epoch + 1,
        ["loss"] = Loss,
        ["learning_rate"] = learningRate,
        ["gradient_norm_mean"] = MeanNorm,
        ["gradient_norm_max"] = _normMax,
        ["examples_per_s"] = targets / Math.Max(1e-9, elapsed.TotalSeconds),
    };
}
