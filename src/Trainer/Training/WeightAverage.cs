using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Training;

/// <summary>
/// The exponential moving average of the weights (Polyak and Juditsky, 1992): a ← a + (1 − d)(w − a) after each update,
/// d = min(decay, (1 + t) / (10 + t)) so that the first weights are soon forgotten. Memory: one copy of the parameters. Not thread-safe.
/// </summary>
internal sealed class WeightAverage : IDisposable
{
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly double _decay;
    private readonly Tensor[] _average;

    public WeightAverage(IReadOnlyList<Parameter> parameters, double decay)
    {
        (_parameters, _decay) = (parameters, decay);
        using var none = torch.no_grad();
        _average = [.. parameters.Select(p => p.detach().clone().DetachFromDisposeScope())];
    }

    /// <summary>In the order of the parameters; for checkpoints.</summary>
    public IReadOnlyList<Tensor> Values => _average;

    /// <param name="step">Updates done, this one included.</param>
    public void Update(int step)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var keep = Math.Min(_decay, (1.0 + step) / (10.0 + step));
        for (var i = 0; i < _average.Length; i++)
            _average[i].mul_(keep).add_(_parameters[i] * (1 - keep));
    }

    public void Restore(IReadOnlyList<Tensor> values)
    {
        using var none = torch.no_grad();
        for (var i = 0; i < _average.Length; i++)
            _average[i].copy_(values[i]);
    }

    /// <summary>Exchanges the model's weights and the averages; a second call puts them back.</summary>
    public void Exchange()
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        for (var i = 0; i < _average.Length; i++)
        {
            var own = _parameters[i].detach().clone();
            _parameters[i].copy_(_average[i]);
            _average[i].copy_(own);
        }
    }

    public void Dispose()
    {
        foreach (var tensor in _average)
            tensor.Dispose();
    }
}
