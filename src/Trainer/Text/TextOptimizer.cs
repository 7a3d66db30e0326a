using TorchSharp.Modules;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Text;

/// <summary>
/// AdamW as text encoders are trained with it: the rate climbs for a tenth of
/// the steps, then falls to 0 in a line; gradients are clipped to length 1.
/// </summary>
/// <param name="parameters">What is trained.</param>
/// <param name="peak">Of the learning rate.</param>
/// <param name="steps">Of the whole training.</param>
internal sealed class TextOptimizer(IReadOnlyList<Parameter> parameters, double peak, int steps) : IDisposable
{
    private readonly optim.Optimizer _adamW = optim.AdamW(parameters, lr: peak, beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: 0.01);

    /// <param name="loss">Of the batch.</param>
    /// <param name="step">0-based.</param>
    public void Step(Tensor loss, int step)
    {
        foreach (var group in _adamW.ParamGroups)
            group.LearningRate = peak * Math.Min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps));
        _adamW.zero_grad();
        loss.backward();
        nn.utils.clip_grad_norm_(parameters, 1.0);
        _adamW.step();
    }

    public void Dispose() => _adamW.Dispose();
}
