namespace TorchSharp.Modules;

/// <summary>Plain stochastic gradient descent.</summary>
public sealed class SGD : torch.optim.Optimizer
{
    private readonly Parameter[] _parameters;
    private readonly Group _group;

    internal SGD(IEnumerable<Parameter> parameters, double learningRate)
    {
        _parameters = [.. parameters];
        _group = new Group { LearningRate = learningRate };
        AddGroup(_group, _parameters);
    }

    public override void step()
    {
        NativeMethods.srt_sgd(NativeMethods.Handles(_parameters), _parameters.Length, _group.LearningRate, 0);
        GC.KeepAlive(_parameters);
    }

    private sealed class Group : torch.optim.ILearningRateController
    {
        public double LearningRate { get; set; }
    }
}
