using Microsoft.Extensions.Logging;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Training;

namespace StreamRec.Trainer;

/// <summary>The steps of one run and what they leave behind; the order is <see cref="ModelTrainer"/>'s.</summary>
internal sealed class TrainingRun : IDisposable
{
    /// <summary>Shares of <see cref="TrainerOptions.MaxTrainSeconds"/>; an advance happens twice.</summary>
    private const double FitShare = 0.74, AdvanceShare = 0.13;

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
    private readonly SeenRule _seen;
    private readonly Prequential _prequential;
    private readonly ModelAssembly _assembly;
    private readonly EncoderFit _encoders;
    private Blend? _blend;

    public TrainingRun(
        TrainerOptions options, TrainingData data, Champion? champion, bool fineTune, long version, TrainProgress? progress,
        ILogger logger, CancellationToken cancel)
    {
        _seen = data.RepeatShare() >= options.RepeatShare ? SeenRule.Repeat : SeenRule.Exclude;
        options = options.For(_seen == SeenRule.Repeat, data.Log.Items);
        (_options, _data, _champion, _version, _progress, _logger, _cancel) = (options, data, champion, version, progress, logger, cancel);
        _encoders = new EncoderFit(options, data, logger, cancel);
        _assembly = new ModelAssembly(options, data, _seen);
        _fineTune = fineTune && champion is not null && _assembly.Continues(champion.Artifact.Manifest.Config);
        _prequential = new Prequential(data.Log, data.ItemIds, data.Types, _seen, strict: true);
        Split = SplitOf(data.Log, options, champion, _fineTune);
        Log.RunStarts(logger, data.Log.Count, data.Log.Users, data.Log.Items, Split.TrainEnd, Split.ValidEnd, _fineTune, _seen, _encoders.Device.ToString());
    }

    public TemporalSplit Split { get; }

    /// <summary>Numbers about the training itself.</summary>
    public Dictionary<string, double> Metrics { get; } = [];

    /// <summary>The descent: a full run on the train part, or from the champion on the edges it does not know.</summary>
    public void Fit()
    {
        if (_fineTune)
        {
            _encoders.Start(Split.ValidEnd);
            var fresh = _encoders.WarmStart(_champion!.Artifact.Tensors, _champion.ItemsIn(_data.ItemIds));
            if (fresh.Count > 0)
                Log.NotWarm(_logger, string.Join(", ", fresh));
            Descend("fine-tune", FineTuneLoop(FirstAfter(_champion.UntilMs), FitShare), null, 0, 0.5);
            _blend = _champion.Artifact.Manifest.Config.Channels.SequenceEqual(_assembly.Config.Channels) ? _champion.Model.Blend : null;
            return;
        }

        _encoders.Start(Split.TrainEnd);
        var events = _prequential.Spread(Split.TrainEnd, Split.ValidEnd, _options.ValidationEvents);
        var ranker = new EncoderRanker(_data.Log, events, Split.TrainEnd, _options.Encoder, _seen, strict: true, _data.Types);
        var loop = _options.Loop with { MaxSeconds = Math.Min(_options.Loop.MaxSeconds, _options.MaxTrainSeconds * FitShare / _encoders.Members) };
        Descend("train", loop, m => RankMetrics.Of(ranker.Ranks(m)).Ndcg10, 0, 0.5);
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
        _prequential.Visit(
            model, events, 1,
            (int _, in RankContext context, int target, RankWorkspace workspace) =>
                learner.Add(model, context, target, workspace),
            _cancel);
        Report("blend", 0.58);
        if (learner.Count > 0)
            _blend = learner.Fit(null, _cancel);
        (Metrics["blend_events"], Metrics["blend_missed"]) = (learner.Count, learner.Missed);
    }

    /// <summary>Learns the events up to <paramref name="end"/> that the model does not know yet, with replay of older ones.</summary>
    public void Advance(string stage, int end, double from, double to)
    {
        if (end <= _encoders.End || !_options.FinalFit)
            return;
        var known = _encoders.End;
        _encoders.Extend(end);
        Descend(stage, FineTuneLoop(known, AdvanceShare), null, from, to);
    }

    /// <summary>Ranks the holdout's events by the candidate, its channels and the champion.</summary>
    public HoldoutReport Judge()
    {
        Report("evaluate", 0.72);
        var model = RankingModel.From(ToArtifact(new Dictionary<string, double>()));
        var events = _prequential.Spread(Split.ValidEnd, Split.End, _options.HoldoutEvents);
        var (candidate, shown) = _prequential.Ranks(model, events, model.Channels, _cancel);
        Report("evaluate", 0.8);
        var champion = _champion is null ? null : _prequential.Ranks(_champion.Model, events, [], _cancel).Ranks[Prequential.Blend];
        var counts = _data.Log.ItemCounts(_encoders.End);
        return new HoldoutReport(
            [.. events.Select(e => _data.Log.User[e])], candidate, champion, [.. events.Select(e => counts[_data.Log.Item[e]] < HoldoutReport.ColdEvents)],
            shown.Length / (double)_data.ItemIds.Length);
    }

    /// <summary>The model as it is now, its channels fitted on the same events.</summary>
    public ModelArtifact ToArtifact(IReadOnlyDictionary<string, double> metrics) =>
        _assembly.ToArtifact(_encoders.Export(), _encoders.End, _version, _champion?.Artifact.Manifest.Version, _blend, metrics, _cancel);

    public void Dispose() => _encoders.Dispose();

    private void Descend(string stage, LoopOptions loop, Func<GraphRecommender, double>? validate, double from, double to)
    {
        var board = _options.TensorBoard ? Path.Combine(_options.ModelsDirectory, "tensorboard", $"v{_version}-{stage}") : loop.TensorBoardDirectory;
        var result = _encoders.Descend(
            stage, loop with { TensorBoardDirectory = board }, validate, (done, metrics) => _progress?.Invoke(stage, from + ((to - from) * done), metrics));
        foreach (var (name, value) in new[] { ("epochs", result.Epochs), ("seconds", result.Seconds), ("targets", result.Targets), ("loss", result.Loss) })
            Metrics[$"{stage}_{name}"] = value;
        if (!double.IsNaN(result.BestValidation))
            Metrics["valid_gnn_ndcg_10"] = result.BestValidation;
    }

    private LoopOptions FineTuneLoop(int newerThan, double share) =>
        _options.FineTuneLoop(newerThan) with { MaxSeconds = Math.Min(_options.Loop.MaxSeconds, _options.MaxTrainSeconds * share / _encoders.Members) };

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
}
