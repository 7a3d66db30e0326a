using Microsoft.Extensions.Logging;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer;

/// <summary>
/// The encoders of the graph channel (<see cref="TrainerOptions.Ensemble"/>; usually one) and how far in the log they have learned. They are trained one after
/// the other, each with its own seed and graph layer. Not thread-safe: libtorch's random generator is shared.
/// </summary>
internal sealed class EncoderFit : IDisposable
{
    /// <summary>Below this the fixed cost of a step, the item graph, is most of it.</summary>
    private const int LeastTokens = 512;

    private readonly TrainerOptions _options;
    private readonly TrainingData _data;
    private readonly ILogger _logger;
    private readonly CancellationToken _cancel;
    private readonly GraphLayer[] _layers;
    private GraphRecommender[] _models = [];
    private ItemEdges? _edges;

    public EncoderFit(TrainerOptions options, TrainingData data, ILogger logger, CancellationToken cancel)
    {
        (_options, _data, _logger, _cancel) = (options, data, logger, cancel);
        _layers = options.Ensemble.Count == 0 ? [options.Items.Layer] : [.. options.Ensemble];
        Device = TorchRuntime.DeviceOf(options.Device);
        Config = options.Encoder with { AttributeRows = data.Attributes.Entries.Count };
    }

    public Device Device { get; }

    /// <summary>The shape with what the data brings.</summary>
    public EncoderConfig Config { get; }

    public int Members => _layers.Length;

    /// <summary>First event the encoders have not learned.</summary>
    public int End { get; private set; }

    /// <summary>Untrained encoders for the events before <paramref name="end"/>.</summary>
    public void Start(int end)
    {
        Dispose();
        End = end;
        var neighbours = _data.Neighbours(end, _options.Neighbours, _options.Seed, _options.ThreadCount, _cancel);
        var touched = _data.Touched(end);
        if (Config.Hops > 0)
            _edges = new ItemEdges(_data.Log, end, _data.Types, _options.Nearby, Config.Hops, Device);
        _models = new GraphRecommender[Members];
        for (var m = 0; m < Members; m++)
        {
            torch.manual_seed(SeedOf(m));
            var inputs = new ItemInputs(_data.Features.For(_options.Items), neighbours, touched, Device) { Relations = _edges };
            _models[m] = new GraphRecommender(Config, _options.Items with { Layer = _layers[m] }, inputs, _options.Dropout, _options.Gaps, _options.Precision);
        }
    }

    /// <summary>The same encoders with the item graph of the events before <paramref name="end"/>.</summary>
    public void Extend(int end)
    {
        var weights = Array.ConvertAll(_models, m => m.Save());
        Start(end);
        for (var m = 0; m < Members; m++)
            _models[m].Restore(weights[m]);
    }

    /// <summary>Takes over an artifact's weights; see <see cref="GraphRecommender.WarmStart"/>.</summary>
    public IReadOnlyList<string> WarmStart(IReadOnlyDictionary<string, (long[] Shape, float[] Data)> tensors, int[] itemOf)
    {
        var fresh = new List<string>();
        for (var m = 0; m < Members; m++)
        {
            var prefix = TensorNames.MemberPrefix(m);
            var own = tensors
                .Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal))
                .ToDictionary(t => t.Key[prefix.Length..], t => t.Value, StringComparer.Ordinal);
            fresh.AddRange(_models[m].WarmStart(own, itemOf).Select(name => prefix + name));
        }

        return fresh;
    }

    /// <summary>Trains each encoder on the events before <see cref="End"/>.</summary>
    /// <returns>Of all together: epochs and loss of the last one, sums of steps, targets and seconds, the mean of the best validations.</returns>
    public LoopResult Descend(
        string stage, LoopOptions loop, Func<GraphRecommender, double>? validate, Action<double, IReadOnlyDictionary<string, double>>? progress)
    {
        var tokens = Math.Min(_options.BatchTokens, Math.Max(LeastTokens, End / _options.StepsPerEpoch));
        var results = new LoopResult[Members];
        for (var m = 0; m < Members; m++)
        {
            var seed = SeedOf(m);
            var sampler = new SequenceSampler(
                _data.Log, End, Config.MaxHistory, tokens, _data.Types, seed,
                _options.Targets ?? TargetMode.Next, Config.Copy, _edges);
            long[] classes = [.. sampler.ItemCounts.Index().Where(c => c.Item > 0).Select(c => (long)c.Index)];
            var own = loop with
            {
                TensorBoardDirectory = loop.TensorBoardDirectory is { } directory && m > 0 ? $"{directory}-{m}" : loop.TensorBoardDirectory,
                CheckpointPath = loop.CheckpointPath is { } path && m > 0 ? $"{path}.{m}" : loop.CheckpointPath,
            };
            var (from, share) = ((double)m / Members, 1.0 / Members);
            results[m] = new TrainingLoop(_models[m], sampler, classes, own, validate)
                .Run(seed + End, (done, metrics) => progress?.Invoke(from + (share * done), metrics), _cancel);
            var r = results[m];
            Log.Descended(_logger, stage, r.Epochs, r.Steps, r.Targets, r.Seconds, r.Loss, r.BestValidation, r.StoppedBy);
            foreach (var alarm in r.Alarms)
                Log.Alarm(_logger, stage, alarm);
        }

        return results[^1] with
        {
            Steps = results.Sum(r => r.Steps),
            Targets = results.Sum(r => r.Targets),
            Seconds = results.Sum(r => r.Seconds),
            BestValidation = results.Average(r => r.BestValidation),
        };
    }

    /// <summary>The tensors of all encoders, those of the second and later ones under their prefix.</summary>
    public Dictionary<string, (long[] Shape, float[] Data)> Export()
    {
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(StringComparer.Ordinal);
        for (var m = 0; m < Members; m++)
        {
            foreach (var (name, tensor) in _models[m].Export())
                tensors[TensorNames.MemberPrefix(m) + name] = tensor;
        }

        return tensors;
    }

    public void Dispose()
    {
        foreach (var model in _models)
        {
            model.Inputs.Dispose();
            model.Dispose();
        }

        _models = [];
        _edges?.Dispose();
        _edges = null;
    }

    private int SeedOf(int member) => _options.Seed + member;
}
