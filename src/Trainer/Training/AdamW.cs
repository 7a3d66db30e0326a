using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Training;

/// <summary>
/// AdamW (Loshchilov and Hutter, 2019) over gradients given by hand, with its two moments open to be saved: TorchSharp's own optimizer
/// does not let a checkpoint read them in every version supported, and a run that resumes must go on exactly where it stopped.
/// <code>
/// p ← p (1 − lr·decay);  m ← β1 m + (1−β1) g;  v ← β2 v + (1−β2) g²;  p ← p − lr/(1−β1ᵗ) · m / (√v/√(1−β2ᵗ) + ε)
/// </code>
/// Not thread-safe. Memory: two copies of the parameters.
/// </summary>
public sealed class AdamW : IDisposable
{
    private readonly Parameter[] _parameters;
    private readonly Tensor[] _mean;
    private readonly Tensor[] _square;
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly double _epsilon;
    private readonly double _decay;

    public AdamW(IReadOnlyList<Parameter> parameters, double beta1, double beta2, double epsilon, double weightDecay)
    {
        (_beta1, _beta2, _epsilon, _decay) = (beta1, beta2, epsilon, weightDecay);
        _parameters = [.. parameters];
        _mean = [.. _parameters.Select(p => torch.zeros_like(p).detach().DetachFromDisposeScope())];
        _square = [.. _parameters.Select(p => torch.zeros_like(p).detach().DetachFromDisposeScope())];
    }

    /// <summary>Updates done.</summary>
    public int Steps { get; private set; }

    /// <summary>First and second moments, in the order of the parameters; for checkpoints.</summary>
    public IReadOnlyList<Tensor> Mean => _mean;

    public IReadOnlyList<Tensor> Square => _square;

    /// <summary>One update. A null gradient (parameter not used in this batch) leaves the parameter and its moments alone.</summary>
    public void Step(IReadOnlyList<Tensor?> gradients, double learningRate)
    {
        using var none = torch.no_grad();
        Steps++;
        var (correct1, correct2) = (1 - Math.Pow(_beta1, Steps), Math.Sqrt(1 - Math.Pow(_beta2, Steps)));
        for (var i = 0; i < _parameters.Length; i++)
        {
            if (gradients[i] is not { } g)
                continue;
            using var scope = torch.NewDisposeScope(); // one parameter's temporaries at a time: the item table may be large
            _mean[i].mul_(_beta1).add_(g * (1 - _beta1));
            _square[i].mul_(_beta2).add_(g.square() * (1 - _beta2));
            var step = _mean[i] / ((_square[i].sqrt() / correct2) + _epsilon) * (learningRate / correct1);
            _parameters[i].mul_(1 - (learningRate * _decay)).sub_(step);
        }
    }

    /// <summary>Puts back what a checkpoint kept.</summary>
    public void Restore(int steps, IReadOnlyList<Tensor> mean, IReadOnlyList<Tensor> square)
    {
        using var none = torch.no_grad();
        Steps = steps;
        for (var i = 0; i < _parameters.Length; i++)
        {
            _mean[i].copy_(mean[i]);
            _square[i].copy_(square[i]);
        }
    }

    public void Dispose()
    {
        foreach (var moment in _mean.Concat(_square))
            moment.Dispose();
    }
}
