using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Training;

/// <summary>
/// Watches a run for what a mean loss hides: gradients that explode, and units that have stopped learning. A unit is a row of a
/// linear layer's weight [out, in]; it is dead when its gradient was 0 in every step of an epoch. Tables are left out: rows of
/// items nobody bought are meant to rest. Cost: one pass over the linear layers' gradients per step, about 1 % of a step.
/// </summary>
internal sealed class Alarms(IReadOnlyList<string> names)
{
    /// <summary>A gradient this many times the epoch before's mean is an explosion, clipped or not.</summary>
    private const double Explosion = 50;

    /// <summary>Dead units are told when they are more than this share of a layer.</summary>
    private const double DeadShare = 0.1;
    private readonly Dictionary<int, Tensor> _moved = [];
    private readonly List<string> _raised = [];
    private double _before = double.NaN;
    private int _explosions;

    /// <summary>What was raised so far, in order; each kind once per place and epoch.</summary>
    public IReadOnlyList<string> Raised => _raised;

    public int Explosions => _explosions;

    /// <summary>Share of dead units among all watched, in the last finished epoch.</summary>
    public double DeadUnits { get; private set; }

    public void Observe(IReadOnlyList<Tensor?> gradients, double norm, int epoch, int step)
    {
        if (norm > Explosion * _before && ++_explosions == 1)
            _raised.Add($"epoch {epoch + 1}, step {step + 1}: gradient norm {norm:g3}, {norm / _before:0} times the mean of the epoch before");
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        for (var i = 0; i < gradients.Count; i++)
        {
            if (gradients[i] is not { } gradient || !IsLinear(names[i], gradient))
                continue;
            var size = gradient.abs().sum(1);
            if (_moved.TryGetValue(i, out var moved))
                moved.add_(size);
            else
                _moved[i] = size.clone().DetachFromDisposeScope();
        }
    }

    /// <param name="epoch">Just finished.</param>
    /// <param name="meanNorm">Mean gradient norm in it.</param>
    public void EndEpoch(int epoch, double meanNorm)
    {
        _before = meanNorm;
        _explosions = 0;
        var (dead, units) = (0, 0);
        foreach (var (i, moved) in _moved)
        {
            var sums = moved.cpu().data<float>().ToArray();
            var still = sums.Count(s => s == 0);
            (dead, units) = (dead + still, units + sums.Length);
            if (still > DeadShare * sums.Length)
                _raised.Add($"epoch {epoch + 1}: {still} of {sums.Length} units of '{names[i]}' got no gradient at all");
            moved.Dispose();
        }

        DeadUnits = units == 0 ? 0 : (double)dead / units;
        _moved.Clear();
    }

    private static bool IsLinear(string name, Tensor gradient) => gradient.ndim == 2 && (name.Contains(".ffn.", StringComparison.Ordinal)
        || name.Contains(".attn.", StringComparison.Ordinal) || name.Contains("lin", StringComparison.Ordinal) || name.EndsWith(".Q", StringComparison.Ordinal)
        || name.EndsWith(".W", StringComparison.Ordinal));
}
