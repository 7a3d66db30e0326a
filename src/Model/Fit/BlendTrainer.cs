using System.Numerics.Tensors;

namespace StreamRec.Model;

/// <summary>How the blend is learned. The defaults are the measured recipe.</summary>
public sealed record BlendTrainerOptions
{
    /// <summary>GELU units beside the linear term; 0 = linear only.</summary>
    public int Hidden { get; init; } = 32;
    public int Epochs { get; init; } = 8;
    public float LearningRate { get; init; } = 0.003f;

    /// <summary>The learning rate is multiplied by this after each epoch.</summary>
    public float LearningRateDecay { get; init; } = 0.7f;

    /// <summary>AdamW's decoupled weight decay.</summary>
    public float WeightDecay { get; init; } = 0.01f;

    /// <summary>Events per step.</summary>
    public int Batch { get; init; } = 32;
    public int Seed { get; init; }

    /// <summary>Networks learned one after the other with different seeds; their mean is one blend with as many times the hidden units. Default 1.</summary>
    public int Networks { get; init; } = 1;
}

/// <summary>
/// Learns a <see cref="Blend"/>: softmax cross-entropy of the event's item over its candidates. Feed it events the channels were not fitted on,
/// each with the history before it. Events whose item is no candidate teach nothing and are counted only. Memory: candidates × features × 4 bytes
/// an event (about 15 KB). Not thread-safe. The same events in the same order and the same seed give the same blend.
/// </summary>
public sealed class BlendTrainer
{
    private readonly BlendTrainerOptions _options;
    private readonly List<(float[] Features, int[] Targets)> _examples = [];
    private int _width;

    public BlendTrainer(BlendTrainerOptions? options = null) => _options = options ?? new BlendTrainerOptions();

    /// <summary>Events learned from.</summary>
    public int Count => _examples.Count;

    /// <summary>Events offered whose item no channel brought.</summary>
    public int Missed { get; private set; }

    /// <summary>Offers one event: what the model would have ranked for <paramref name="context"/>, and what was chosen.</summary>
    /// <returns>False when the target is not among the candidates.</returns>
    public bool Add(RankingModel model, in RankContext context, int target, RankWorkspace workspace) => Add(model, context, [target], workspace);

    /// <summary>The same with several items that were chosen in the time the list is made for; the probability is to be spread over them.</summary>
    /// <returns>False when none of them is among the candidates.</returns>
    public bool Add(RankingModel model, in RankContext context, ReadOnlySpan<int> targets, RankWorkspace workspace)
    {
        model.Prepare(context, 0, workspace);
        _width = model.Blend.Features;
        var candidates = workspace.Candidates.AsSpan(0, workspace.CandidateCount);
        var at = new List<int>(targets.Length);
        foreach (var target in targets)
        {
            if (candidates.IndexOf(target) is >= 0 and var found)
                at.Add(found);
        }

        if (at.Count == 0)
        {
            Missed++;
            return false;
        }

        _examples.Add((workspace.Features.AsSpan(0, candidates.Length * _width).ToArray(), [.. at]));
        return true;
    }

    /// <summary>Learns from what was added. Cost: epochs × candidates × features × hidden × 3 multiply-adds.</summary>
    /// <param name="meanLoss">Called after each epoch with the mean cross-entropy; may be null.</param>
    /// <param name="ct">Checked after each step.</param>
    /// <exception cref="InvalidOperationException">Nothing was added.</exception>
    public Blend Fit(Action<int, double>? meanLoss, CancellationToken ct)
    {
        if (_examples.Count == 0)
            throw new InvalidOperationException("the blend has no events to learn from");
        var scale = Scale.Of(_examples, _width);
        foreach (var (features, _) in _examples)
            scale.Apply(features);
        try
        {
            var blends = Enumerable.Range(0, Math.Max(1, _options.Networks))
                .Select(k => FitOne(_options with { Seed = _options.Seed + (1_000 * k) }, meanLoss, ct))
                .ToArray();
            return scale.Fold(blends);
        }
        finally
        {
            foreach (var (features, _) in _examples)
                scale.Undo(features);
        }
    }

    private Blend.Weights FitOne(BlendTrainerOptions options, Action<int, double>? meanLoss, CancellationToken ct)
    {
        var net = new Net(_width, options);
        var order = Enumerable.Range(0, _examples.Count).ToArray();
        var random = new Random(options.Seed);
        var rate = _options.LearningRate;
        for (var epoch = 0; epoch < _options.Epochs; epoch++, rate *= _options.LearningRateDecay)
        {
            random.Shuffle(order);
            double loss = 0;
            for (var start = 0; start < order.Length; start += _options.Batch)
            {
                ct.ThrowIfCancellationRequested();
                var batch = order.AsSpan(start, Math.Min(_options.Batch, order.Length - start));
                foreach (var e in batch)
                    loss += net.Accumulate(_examples[e].Features, _examples[e].Targets, 1f / batch.Length);
                net.Step(rate);
            }

            meanLoss?.Invoke(epoch, loss / order.Length);
        }

        return net.Weights();
    }

    /// <summary>
    /// Features have scales from 0.1 to 10; the net learns them with mean 0 and deviation 1, and what it learned is folded back into weights for the raw ones,
    /// so that scoring knows nothing of it.
    /// </summary>
    private sealed class Scale(float[] mean, float[] deviation)
    {
        public static Scale Of(List<(float[] Features, int[] Targets)> examples, int width)
        {
            var (sum, squares) = (new double[width], new double[width]);
            long rows = 0;
            foreach (var (x, _) in examples)
            {
                for (var i = 0; i < x.Length; i++)
                {
                    sum[i % width] += x[i];
                    squares[i % width] += (double)x[i] * x[i];
                }

                rows += x.Length / width;
            }

            var mean = Array.ConvertAll(sum, s => (float)(s / rows));
            // A feature that is the same everywhere stays what it is: 0 after the mean is off.
            var deviation = squares.Zip(mean, (q, m) => Math.Sqrt(Math.Max(0, (q / rows) - ((double)m * m)))).Select(d => d > 1e-4 ? (float)d : 1f).ToArray();
            return new Scale(mean, deviation);
        }

        public void Apply(float[] x)
        {
            for (var at = 0; at < x.Length; at += mean.Length)
            {
                var row = x.AsSpan(at, mean.Length);
                TensorPrimitives.Subtract(row, mean, row);
                TensorPrimitives.Divide(row, deviation, row);
            }
        }

        public void Undo(float[] x)
        {
            for (var at = 0; at < x.Length; at += mean.Length)
            {
                var row = x.AsSpan(at, mean.Length);
                TensorPrimitives.MultiplyAdd(row, deviation, mean, row);
            }
        }

        /// <summary>The mean of the nets over raw features. The constant a linear term gains is the same for all candidates and is left out.</summary>
        public Blend Fold(Blend.Weights[] nets)
        {
            int f = mean.Length, h = nets[0].Out.Length, all = nets.Length * h;
            float[] linear = new float[f], hidden = new float[f * all], bias = new float[all], output = new float[all];
            for (var k = 0; k < nets.Length; k++)
            {
                for (var i = 0; i < f; i++)
                    linear[i] += nets[k].Linear[i] / deviation[i] / nets.Length;
                for (var u = 0; u < h; u++)
                {
                    var to = (k * h) + u;
                    output[to] = nets[k].Out[u] / nets.Length;
                    bias[to] = nets[k].HiddenBias[u];
                    for (var i = 0; i < f; i++)
                    {
                        var weight = nets[k].Hidden[(i * h) + u] / deviation[i];
                        hidden[(i * all) + to] = weight;
                        bias[to] -= weight * mean[i];
                    }
                }
            }

            return new Blend(linear, hidden, bias, output);
        }
    }

    /// <summary>The blend's parameters in one array [linear | hidden | hidden bias | out], their gradient and AdamW's moments.</summary>
    private sealed class Net
    {
        private const float Beta1 = 0.9f, Beta2 = 0.999f, Epsilon = 1e-8f;
        private readonly int _f, _h;
        private readonly float[] _value, _gradient, _first, _second, _scratch;
        private readonly float _decay;
        private float[] _slope = [], _act = [], _scores = [];
        private int _steps;

        public Net(int features, BlendTrainerOptions options)
        {
            (_f, _h, _decay) = (features, options.Hidden, options.WeightDecay);
            var n = _f + (_f * _h) + _h + _h;
            (_value, _gradient, _first, _second, _scratch) = (new float[n], new float[n], new float[n], new float[n], new float[n]);
            var random = new Random(options.Seed);
            var bound = 1f / MathF.Sqrt(_f); // both layers as PyTorch initialises them; the linear term starts at 0
            foreach (ref var w in Hidden(_value))
                w = bound * ((2 * random.NextSingle()) - 1);
            foreach (ref var w in Bias(_value))
                w = bound * ((2 * random.NextSingle()) - 1);
            bound = _h == 0 ? 0 : 1f / MathF.Sqrt(_h);
            foreach (ref var w in Out(_value))
                w = bound * ((2 * random.NextSingle()) - 1);
        }

        private Span<float> Linear(float[] p) => p.AsSpan(0, _f);

        private Span<float> Hidden(float[] p) => p.AsSpan(_f, _f * _h);

        private Span<float> Bias(float[] p) => p.AsSpan(_f + (_f * _h), _h);

        private Span<float> Out(float[] p) => p.AsSpan(_f + (_f * _h) + _h, _h);

        /// <summary>Adds one event's gradient, times <paramref name="weight"/>; returns its cross-entropy.</summary>
        public double Accumulate(float[] x, int[] targets, float weight)
        {
            var n = x.Length / _f;
            if (_scores.Length < n)
                (_scores, _slope, _act) = (new float[n], new float[n * _h], new float[n * _h]);
            var scores = _scores.AsSpan(0, n);
            Forward(x, n, scores);
            var max = TensorPrimitives.Max<float>(scores);
            var loss = Math.Log(SumExp(scores, max)) + max;
            foreach (var target in targets)
                loss -= scores[target] / targets.Length;
            TensorPrimitives.SoftMax<float>(scores, scores);
            foreach (var target in targets)
                scores[target] -= 1f / targets.Length;
            TensorPrimitives.Multiply(scores, weight, scores);
            Backward(x, n, scores);
            return loss;
        }

        /// <summary>Leaves gelu' of the hidden units in _slope and their activation in _act.</summary>
        private void Forward(ReadOnlySpan<float> x, int n, Span<float> scores)
        {
            for (var i = 0; i < n; i++)
                scores[i] = TensorPrimitives.Dot(x.Slice(i * _f, _f), Linear(_value));
            if (_h == 0)
                return;
            var slope = _slope.AsSpan(0, n * _h);
            var act = _act.AsSpan(0, n * _h);
            Kernels.Linear(n, _f, _h, x, _f, Hidden(_value), Bias(_value), slope, _h, accumulate: false);
            Kernels.GeluWithGradient(slope, act);
            for (var i = 0; i < n; i++)
                scores[i] += TensorPrimitives.Dot(act.Slice(i * _h, _h), Out(_value));
        }

        private void Backward(ReadOnlySpan<float> x, int n, ReadOnlySpan<float> gradient)
        {
            Kernels.AddOuterProducts(n, _f, 1, x, gradient, Linear(_gradient));
            if (_h == 0)
                return;
            Kernels.AddOuterProducts(n, 1, _h, gradient, _act, Out(_gradient));
            var bias = Bias(_gradient);
            for (var i = 0; i < n; i++)
            {
                var slope = _slope.AsSpan(i * _h, _h);
                TensorPrimitives.Multiply(slope, Out(_value), slope);
                TensorPrimitives.Multiply(slope, gradient[i], slope);
                TensorPrimitives.Add(bias, slope, bias);
            }

            Kernels.AddOuterProducts(n, _f, _h, x, _slope, Hidden(_gradient));
        }

        /// <summary>AdamW (Loshchilov and Hutter, 2019) with bias correction; clears the gradient.</summary>
        public void Step(float rate)
        {
            _steps++;
            TensorPrimitives.Multiply(_value, 1 - (rate * _decay), _value);
            TensorPrimitives.Multiply(_first, Beta1, _first);
            TensorPrimitives.FusedMultiplyAdd(_gradient, 1 - Beta1, _first, _first);
            TensorPrimitives.Multiply(_second, Beta2, _second);
            TensorPrimitives.Multiply(_gradient, _gradient, _scratch);
            TensorPrimitives.FusedMultiplyAdd(_scratch, 1 - Beta2, _second, _second);
            TensorPrimitives.Multiply(_second, 1f / (1 - MathF.Pow(Beta2, _steps)), _scratch);
            TensorPrimitives.Sqrt(_scratch, _scratch);
            TensorPrimitives.Add(_scratch, Epsilon, _scratch);
            TensorPrimitives.Divide(_first, _scratch, _scratch);
            TensorPrimitives.FusedMultiplyAdd(_scratch, -rate / (1 - MathF.Pow(Beta1, _steps)), _value, _value);
            Array.Clear(_gradient);
        }

        public Blend.Weights Weights() => new([.. Linear(_value)], [.. Hidden(_value)], [.. Bias(_value)], [.. Out(_value)]);

        private static double SumExp(ReadOnlySpan<float> scores, float max)
        {
            double sum = 0;
            foreach (var s in scores)
                sum += Math.Exp(s - max);
            return sum;
        }
    }
}
