using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Logging;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer;

/// <summary>The steps of one run and what they leave behind; the order is <see cref="ModelTrainer"/>'s.</summary>
internal sealed class TrainingRun : IDisposable
{
    /// <summary>Shares of <see cref="TrainerOptions.MaxTrainSeconds"/>; an advance happens twice.</summary>
    private const double FitShare = 0.74, AdvanceShare = 0.13;

    /// <summary>Below this the fixed cost of a step, the item graph, is most of it.</summary>
    private const int LeastTokens = 512;

    /// <summary>Fewer new events than this cannot judge anything: the run then falls back on the newest tenth, which the champion may know.</summary>
    private const int LeastHoldout = 100;

    private readonly TrainerOptions _options;
    private readonly TrainingData _data;
    private readonly Champion? _champion;
    private readonly bool _fineTune;
    private readonly TrainProgress? _progress;
    private readonly ILogger _logger;
    private readonly long _version;
    private readonly CancellationToken _cancel;
    private readonly Device _device;
    private readonly int _threads;
    private readonly SeenRule _seen;
    private readonly Prequential _prequential;
    private readonly ModelConfig _config;
    private GraphRecommender? _model;
    private Blend? _blend;
    private int _fitEnd;

    public TrainingRun(
        TrainerOptions options, TrainingData data, Champion? champion, bool fineTune, long version, TrainProgress? progress, ILogger logger, CancellationToken cancel)
    {
        (_options, _data, _champion, _version, _progress, _logger, _cancel) = (options, data, champion, version, progress, logger, cancel);
        _fineTune = fineTune && champion is not null && champion.Artifact.Manifest.Config.Encoder == options.Encoder;
        _device = TorchRuntime.DeviceOf(options.Device);
        _threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
        _seen = data.RepeatShare() >= options.RepeatShare ? SeenRule.Repeat : SeenRule.Exclude;
        _prequential = new Prequential(data.Log, data.ItemIds, data.Types, _seen, strict: true);
        Split = SplitOf(data.Log, options, champion, _fineTune);
        _config = ConfigOf(options, data, _seen);
        Log.RunStarts(logger, data.Log.Count, data.Log.Users, data.Log.Items, Split.TrainEnd, Split.ValidEnd, _fineTune, _seen, _device.ToString());
    }

    public TemporalSplit Split { get; }

    /// <summary>Numbers about the training itself.</summary>
    public Dictionary<string, double> Metrics { get; } = [];

    /// <summary>The descent: a full run on the train part, or from the champion on the edges it does not know.</summary>
    public void Fit()
    {
        if (_fineTune)
        {
            _model = NewModel(Split.ValidEnd);
            var fresh = _model.WarmStart(_champion!.Artifact.Tensors, _champion.ItemsIn(_data.ItemIds));
            if (fresh.Count > 0)
                Log.NotWarm(_logger, string.Join(", ", fresh));
            Descend("fine-tune", Split.ValidEnd, FineTuneLoop(FirstAfter(_champion.UntilMs), FitShare), null, 0, 0.5);
            _blend = _champion.Artifact.Manifest.Config.Channels.SequenceEqual(_config.Channels) ? _champion.Model.Blend : null;
            return;
        }

        _model = NewModel(Split.TrainEnd);
        var events = _prequential.Spread(Split.TrainEnd, Split.ValidEnd, _options.ValidationEvents);
        var ranker = new EncoderRanker(_data.Log, events, Split.TrainEnd, _options.Encoder, _seen, strict: true);
        var loop = _options.Loop with { MaxSeconds = Math.Min(_options.Loop.MaxSeconds, _options.MaxTrainSeconds * FitShare) };
        Descend("train", Split.TrainEnd, loop, m => RankMetrics.Of(ranker.Ranks(m)).Ndcg10, 0, 0.5);
    }

    /// <summary>Learns the mix of the channels on the validation part; after fine-tuning the champion's mix is kept where the channels are the same.</summary>
    public void LearnBlend()
    {
        if (_blend is not null || _fineTune)
            return;
        Report("blend", 0.5);
        var model = RankingModel.From(ToArtifact(new Dictionary<string, double>()));
        var learner = new BlendTrainer(_options.Blend with { Seed = _options.Seed });
        var events = _prequential.Spread(Split.TrainEnd, Split.ValidEnd, _options.BlendEvents);
        _prequential.Visit(model, events, 1, (int _, in RankContext context, int target, RankWorkspace workspace) => learner.Add(model, context, target, workspace), _cancel);
        Report("blend", 0.58);
        if (learner.Count > 0)
            _blend = learner.Fit(null, _cancel);
        (Metrics["blend_events"], Metrics["blend_missed"]) = (learner.Count, learner.Missed);
    }

    /// <summary>Learns the events up to <paramref name="end"/> that the model does not know yet, with replay of older ones.</summary>
    public void Advance(string stage, int end, double from, double to)
    {
        if (end <= _fitEnd || !_options.FinalFit)
            return;
        var known = _fitEnd;
        var next = NewModel(end);
        next.Restore(_model!.Save());
        Release();
        _model = next;
        Descend(stage, end, FineTuneLoop(known, AdvanceShare), null, from, to);
    }

    /// <summary>Ranks the holdout's events by the candidate, its channels and the champion.</summary>
    public HoldoutReport Judge()
    {
        Report("evaluate", 0.72);
        var model = RankingModel.From(ToArtifact(new Dictionary<string, double>()));
        var events = _prequential.Spread(Split.ValidEnd, Split.End, _options.HoldoutEvents);
        var (candidate, coverage) = _prequential.Ranks(model, events, model.Channels, _cancel);
        Report("evaluate", 0.8);
        var champion = _champion is null ? null : _prequential.Ranks(_champion.Model, events, [], _cancel).Ranks[Prequential.Blend];
        var counts = _data.Log.ItemCounts(_fitEnd);
        return new HoldoutReport(
            [.. events.Select(e => _data.Log.User[e])], candidate, champion, [.. events.Select(e => counts[_data.Log.Item[e]] < HoldoutReport.ColdEvents)], coverage);
    }

    /// <summary>The model as it is now, its channels fitted on the same events.</summary>
    public ModelArtifact ToArtifact(IReadOnlyDictionary<string, double> metrics)
    {
        var tensors = _model!.Export();
        ChannelFit.Fit(_config, _data.FitEvents(_fitEnd), tensors, _threads, _cancel);
        if (_data.Text is { } text)
            tensors[TensorNames.ItemText] = ([_data.Log.Items, text.Dim], text.Vectors);
        _blend?.Write(tensors);
        DateTimeOffset At(int e) => DateTimeOffset.FromUnixTimeMilliseconds(_data.Log.TimeMs[e]);
        var offsets = _data.Snapshot.NextOffsets.ToDictionary(o => o.Key.ToString(CultureInfo.InvariantCulture), o => o.Value);
        return new ModelArtifact(
            new ModelManifest
            {
                Name = _options.ModelName,
                Version = _version,
                CreatedAt = DateTimeOffset.UtcNow,
                ParentVersion = _champion?.Artifact.Manifest.Version,
                CodeVersion = typeof(TrainingRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
                Config = _config,
                Data = new ModelData(At(0), At(_fitEnd - 1), _fitEnd, offsets),
                Metrics = metrics,
            },
            _data.ItemIds, tensors);
    }

    public void Dispose() => Release();

    private void Descend(string stage, int end, LoopOptions loop, Func<GraphRecommender, double>? validate, double from, double to)
    {
        _fitEnd = end;
        var tokens = Math.Min(_options.BatchTokens, Math.Max(LeastTokens, end / _options.StepsPerEpoch));
        var sampler = new SequenceSampler(_data.Log, end, _options.Encoder.MaxHistory, tokens, _data.Types, _options.Seed, _options.Targets);
        long[] classes = [.. sampler.ItemCounts.Index().Where(c => c.Item > 0).Select(c => (long)c.Index)];
        var training = new TrainingLoop(_model!, sampler, classes, loop with { TensorBoardDirectory = TensorBoardOf(stage) }, validate);
        var result = training.Run(_options.Seed + end, (done, metrics) => _progress?.Invoke(stage, from + ((to - from) * done), metrics), _cancel);
        Log.Descended(_logger, stage, result.Epochs, result.Steps, result.Targets, result.Seconds, result.Loss, result.BestValidation, result.StoppedBy);
        foreach (var (name, value) in new[] { ("epochs", result.Epochs), ("seconds", result.Seconds), ("targets", result.Targets), ("loss", result.Loss) })
            Metrics[$"{stage}_{name}"] = value;
        if (!double.IsNaN(result.BestValidation))
            Metrics["valid_gnn_ndcg_10"] = result.BestValidation;
    }

    private string? TensorBoardOf(string stage) =>
        _options.TensorBoard ? Path.Combine(_options.ModelsDirectory, "tensorboard", $"v{_version}-{stage}") : _options.Loop.TensorBoardDirectory;

    private LoopOptions FineTuneLoop(int newerThan, double share) => _options.Loop with
    {
        Epochs = _options.FineTuneEpochs,
        LearningRate = _options.Loop.LearningRate * _options.FineTuneRate,
        MaxSeconds = Math.Min(_options.Loop.MaxSeconds, _options.MaxTrainSeconds * share),
        NewerThan = newerThan,
        CheckpointPath = null,
    };

    private GraphRecommender NewModel(int end)
    {
        torch.manual_seed(_options.Seed);
        var neighbours = _data.Neighbours(end, _options.Neighbours, _options.Seed, _threads, _cancel);
        return new GraphRecommender(_options.Encoder, _options.Items, new ItemInputs(_data.Features, neighbours, _device), _options.Dropout, _options.Gaps);
    }

    private void Release()
    {
        _model?.Inputs.Dispose();
        _model?.Dispose();
        _model = null;
    }

    private void Report(string stage, double fraction) => _progress?.Invoke(stage, fraction, Metrics);

    private int FirstAfter(long timeMs) => UpperBound(_data.Log.TimeMs, timeMs);

    /// <summary>
    /// The newest tenth judges, unless the champion has learned part of it: then only what is newer than the champion does, so that both are asked about
    /// events neither has seen. Fine-tuning needs edges to learn before the holdout, so it leaves at least half of the new ones to them.
    /// </summary>
    private static TemporalSplit SplitOf(EventLog log, TrainerOptions options, Champion? champion, bool fineTune)
    {
        var plain = TemporalSplit.Of(log.Count, options.ValidShare, options.HoldoutShare);
        if (champion is null)
            return plain;
        var known = UpperBound(log.TimeMs, champion.UntilMs);
        var fresh = log.Count - known;
        var validEnd = Math.Max(plain.ValidEnd, fineTune ? known + (fresh / 2) : known);
        if (log.Count - validEnd < LeastHoldout)
            return plain;
        return new TemporalSplit(Math.Max(1, validEnd - (plain.ValidEnd - plain.TrainEnd)), validEnd, log.Count);
    }

    private static int UpperBound(long[] times, long timeMs)
    {
        var (low, high) = (0, times.Length);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            (low, high) = times[middle] <= timeMs ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private static ModelConfig ConfigOf(TrainerOptions options, TrainingData data, SeenRule seen)
    {
        List<string> channels = [ChannelNames.Gnn, ChannelNames.ItemKnn];
        if (data.Log.Items <= options.EaseMaxItems)
            channels.Add(ChannelNames.Ease);
        if (seen == SeenRule.Repeat)
            channels.Add(ChannelNames.Personal);
        channels.AddRange([ChannelNames.Popularity, ChannelNames.Trending, ChannelNames.Markov]);
        if (data.Text is not null)
            channels.Add(ChannelNames.Text);
        var loop = options.Loop;
        var training = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["graph_layer"] = options.Items.Layer.ToString(),
            ["graph_layers"] = options.Items.Layers.ToString(CultureInfo.InvariantCulture),
            ["epochs"] = loop.Epochs.ToString(CultureInfo.InvariantCulture),
            ["learning_rate"] = loop.LearningRate.ToString(CultureInfo.InvariantCulture),
            ["seed"] = options.Seed.ToString(CultureInfo.InvariantCulture),
            ["served_weights"] = options.FinalFit ? "train, validation and holdout; judged before the holdout was learned" : "as judged: train part only",
        };
        return new ModelConfig
        {
            Encoder = options.Encoder,
            Channels = channels,
            HalfText = data.Text?.Half ?? false,
            ItemKnn = options.ItemKnn,
            Ease = options.Ease,
            EventWeights = ModelConfig.WeightsOf(data.Types),
            Training = training,
        };
    }
}
