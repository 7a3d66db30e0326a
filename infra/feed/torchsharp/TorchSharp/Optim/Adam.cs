namespace TorchSharp.Modules;

/// <summary>Adam (Kingma and Ba 2015); weight decay is added to the gradient.</summary>
public sealed class Adam : torch.optim.Optimizer
{
    private readonly List<(ParamGroup Group, AdamState State)> _states = [];

    internal Adam(IEnumerable<ParamGroup> groups)
    {
        foreach (var group in groups)
        {
            AddGroup(group, group.Parameters);
            _states.Add((group, new AdamState(group.Parameters)));
        }
    }

    public override void step()
    {
        foreach (var (group, state) in _states)
            state.Step(group.Settings with { LearningRate = group.LearningRate });
    }

    protected override void Dispose(bool disposing)
    {
        foreach (var (_, state) in _states)
            state.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Parameters with settings of their own; nothing is inherited from the optimiser's call.</summary>
    public sealed class ParamGroup : torch.optim.ILearningRateController
    {
        public ParamGroup(IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0)
        {
            Parameters = [.. parameters];
            LearningRate = lr;
            Settings = new AdamSettings { Beta1 = beta1, Beta2 = beta2, Eps = eps, WeightDecay = weight_decay, Decoupled = 0 };
        }

        public double LearningRate { get; set; }

        internal Parameter[] Parameters { get; }

        internal AdamSettings Settings { get; }
    }
}
