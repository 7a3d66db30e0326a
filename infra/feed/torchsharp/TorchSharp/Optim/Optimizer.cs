using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        /// <summary>What a learning-rate schedule sets.</summary>
        public interface ILearningRateController
        {
            double LearningRate { get; set; }
        }

        /// <summary>Changes parameters by their gradients, in groups with settings of their own.</summary>
        public abstract class Optimizer : IDisposable
        {
            private readonly List<(ILearningRateController Controller, Parameter[] Parameters)> _groups = [];

            private protected Optimizer()
            {
            }

            public IEnumerable<ILearningRateController> ParamGroups => _groups.Select(g => g.Controller);

            public IEnumerable<Parameter> parameters() => _groups.SelectMany(g => g.Parameters);

            public abstract void step();

            /// <summary>Sets all gradients to zero (they stay allocated).</summary>
            public void zero_grad()
            {
                foreach (var (_, parameters) in _groups)
                {
                    NativeMethods.srt_zero_grad(NativeMethods.Handles(parameters), parameters.Length);
                    GC.KeepAlive(parameters);
                }
            }

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            private protected void AddGroup(ILearningRateController controller, Parameter[] parameters)
            {
                if (parameters.FirstOrDefault(p => !p.is_leaf) is { } inner)
                    throw new ArgumentException($"an optimiser's parameter of shape [{string.Join(", ", inner.shape)}] is the result of a computation, not a leaf");
                _groups.Add((controller, parameters));
            }

            /// <summary>The end of an optimiser is the end of a training run: the memory its steps used again and again goes back to the system.</summary>
            protected virtual void Dispose(bool disposing) => NativeMethods.srt_release_cache();
        }

        public static AdamW AdamW(IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0)
            => new([new AdamW.ParamGroup(parameters, lr, beta1, beta2, eps, weight_decay)]);

        /// <summary>The groups' own settings hold: those given here are ignored, as in the genuine package.</summary>
        public static AdamW AdamW(IEnumerable<AdamW.ParamGroup> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0)
        {
            _ = (lr, beta1, beta2, eps, weight_decay);
            return new(parameters);
        }

        public static Adam Adam(IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0)
            => new([new Adam.ParamGroup(parameters, lr, beta1, beta2, eps, weight_decay)]);

        public static Adam Adam(IEnumerable<Adam.ParamGroup> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0)
        {
            _ = (lr, beta1, beta2, eps, weight_decay);
            return new(parameters);
        }

        public static SGD SGD(IEnumerable<Parameter> parameters, double learningRate) => new(parameters, learningRate);
    }
}
