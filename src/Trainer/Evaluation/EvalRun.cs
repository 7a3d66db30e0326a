using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// One evaluation by the protocol: encoders and channels are fitted on the train part, the blend is learned on the validation part, everything is fitted anew
/// on both, and the test part is judged once, without any retraining. On the validation part (for choosing settings) the models know the train part, and the
/// blend is learned on the events of one half of the users and judged on the other half's, both ways round, so that no event is judged that taught it.
/// The models are the product's: the same fits, channels, blend and ranking call as in training and serving.
/// </summary>
public sealed class EvalRun
{
    /// <summary>P1 has few questions to learn the blend from, so the learning part is asked at this many moments.</summary>
    private const int TemporalCuts = 6;

    /// <summary>Baselines read the whole history and windows to the millisecond, as the protocol's reference does.</summary>
    private static readonly LiveCountersOptions Exact = new() { MonthStepMs = 1, DayStepMs = 1 };

    private readonly EvaluationSet _set;
    private readonly TrainingData _data;
    private readonly TrainerOptions _trainer;
    private readonly EvalOptions _options;
    private readonly EventTypes _types;
    private readonly EncoderStore _encoders;
    private readonly EvalProgress? _progress;
    private readonly ILogger _logger;
    private readonly CancellationToken _cancel;
    private readonly int _fitEnd, _judgeEnd;

    /// <param name="set">Events, users and items.</param>
    /// <param name="text">Vectors of the items' texts; null = without.</param>
    /// <param name="trainer">Settings of the model; its seed is the first.</param>
    /// <param name="options">What to judge.</param>
    /// <param name="types">Event types.</param>
    /// <param name="logger">For the trainings.</param>
    /// <param name="progress">May be null.</param>
    /// <param name="cancel">Checked per batch and event.</param>
    public EvalRun(
        EvaluationSet set, TextVectors? text, TrainerOptions trainer, EvalOptions options, EventTypes types, ILogger logger, EvalProgress? progress,
        CancellationToken cancel)
    {
        (_set, _options, _types, _logger, _progress, _cancel) = (set, options, types, logger, progress, cancel);
        _trainer = trainer.For(set.Repeats, set.Snapshot.Items.Length);
        _data = new TrainingData(set.Snapshot, text, types, trainer.MaxCategories);
        _encoders = new EncoderStore(set, _data, options.ModelsDirectory, logger);
        (_fitEnd, _judgeEnd) = options.Split == EvalSplit.Valid ? (set.Split.TrainEnd, set.Split.ValidEnd) : (set.Split.ValidEnd, set.Split.End);
    }

    public EvalResult Run()
    {
        TorchRuntime.Prepare(_trainer.Threads);
        var judged = new List<Judged>();
        foreach (var baseline in _options.Baselines ? PeerSettings.Of(_set.Repeats, _options.Protocol, _options.Task) : [])
        {
            _progress?.Invoke(baseline.Name, 0);
            var tensors = new Dictionary<string, (long[] Shape, float[] Data)>();
            ChannelFit.Fit(baseline.Config, _data.FitEvents(_fitEnd), tensors, _trainer.ThreadCount, _cancel);
            var model = RankingModel.From(ArtifactOf(baseline.Name, baseline.Config, tensors));
            judged.AddRange(JudgeChannels(model, [baseline.Channel], null, int.MaxValue, Exact).Select(j => j with { Name = baseline.Name }));
        }

        var seconds = new Dictionary<int, double>();
        var perSeed = new List<List<Judged>>();
        for (var seed = 0; seed < _options.Seeds; seed++)
        {
            var (results, took) = RunSeed(_trainer with { Seed = _trainer.Seed + seed });
            seconds[_trainer.Seed + seed] = took;
            perSeed.Add(results);
            judged.AddRange(results);
        }

        if (perSeed.Count > 1)
            judged.AddRange(perSeed[0].Select((_, k) => Judged.Mean([.. perSeed.Select(s => s[k])])));
        return new EvalResult(judged, seconds);
    }

    private (List<Judged> Judged, double Seconds) RunSeed(TrainerOptions trainer)
    {
        var assembly = new ModelAssembly(trainer, _data, _options.Task);
        if (_options.Channels.Count > 0)
        {
            assembly = new ModelAssembly(trainer, _data, _options.Task)
            {
                Config = assembly.Config with { Channels = [.. assembly.Config.Channels.Where(_options.Channels.Contains)] },
            };
        }
        var graph = assembly.Config.Channels.Contains(ChannelNames.Gnn);
        (Dictionary<string, (long[] Shape, float[] Data)> Tensors, double Seconds) Encoders(int end) =>
            graph ? _encoders.Get(trainer, end, _progress, _cancel) : ([], 0);
        RankingModel Fit(Dictionary<string, (long[] Shape, float[] Data)> tensors, int end) =>
            RankingModel.From(assembly.ToArtifact(tensors, end, 1, null, null, new Dictionary<string, double>(), _cancel));

        var (tensors, seconds) = Encoders(_fitEnd);
        var model = Fit(tensors, _fitEnd);
        var judged = JudgeChannels(model, model.Channels, trainer.Seed, 2_000, null);
        var blends = model.Channels.Count > 1;
        if (_options.Split == EvalSplit.Valid)
        {
            if (blends)
                judged.Add(JudgeHalves(model, trainer));
            return (judged, seconds);
        }

        Blend? blend = null;
        if (blends || _options.FineTuned)
        {
            var (trained, more) = Encoders(_set.Split.TrainEnd);
            seconds += more;
            if (_options.FineTuned && graph)
                judged.Add(FineTuned(trainer, assembly, trained));
            if (blends)
            {
                model = model.With(blend = LearnBlend(Fit(trained, _set.Split.TrainEnd), trainer, _ => true));
                judged.Add(JudgeBlend(model, trainer.Seed, _ => true));
            }
        }

        if (_options.LearnOnEvery > 0)
            judged.AddRange(LearningOn(trainer, assembly, tensors, blend));
        return (judged, seconds);
    }

    /// <summary>The graph channel that learned the train part in full and the validation part by fine-tuning.</summary>
    private Judged FineTuned(TrainerOptions trainer, ModelAssembly assembly, Dictionary<string, (long[] Shape, float[] Data)> trained)
    {
        using var tuned = new LearningOn(_data, trainer, assembly, trained, _set.Split.TrainEnd, null, _logger, _cancel);
        _progress?.Invoke("fine-tune", 0);
        var seconds = tuned.Learn(_set.Split.ValidEnd);
        var judged = JudgeChannels(tuned.Model(), [ChannelNames.Gnn], trainer.Seed, 2_000, null).Single();
        return judged with
        {
            Name = ChannelNames.Gnn + ", fine-tuned",
            Metrics = new Dictionary<string, double>(judged.Metrics) { ["fine_tune_s"] = seconds },
            Raw = new Dictionary<string, Array>(),
        };
    }

    /// <summary>The blend and the graph channel of a model that learns on while it is judged.</summary>
    private IEnumerable<Judged> LearningOn(
        TrainerOptions trainer, ModelAssembly assembly, Dictionary<string, (long[] Shape, float[] Data)> tensors,
        Blend? blend)
    {
        using var model = new LearningOn(_data, trainer, assembly, tensors, _fitEnd, blend, _logger, _cancel);
        var questions = Questions(2_000, null);
        var events = questions.Every(_fitEnd, _judgeEnd, _options.Every);
        string[] channels = [.. assembly.Config.Channels.Where(c => c == ChannelNames.Gnn)];
        var ranks = model.Ranks(questions, events, _options.LearnOnEvery, channels, done => _progress?.Invoke("judge the model that learns on", done));
        return [.. ranks.Select(r => Judged.OfRanks(r.Key + ", learning on", trainer.Seed, _data.Log, events, r.Value, _fitEnd, _judgeEnd))];
    }

    /// <summary>The blend learned on one half of the users and judged on the other, both ways round.</summary>
    private Judged JudgeHalves(RankingModel model, TrainerOptions trainer)
    {
        var halves = Enumerable.Range(0, 2)
            .Select(half => JudgeBlend(model.With(LearnBlend(model, trainer, u => u % 2 != half)), trainer.Seed, u => u % 2 == half))
            .ToArray();
        return Judged.Joined(halves[0], halves[1], _data.ItemIds.Length);
    }

    /// <summary>Learns the mix on the validation part, from a model that knows the train part.</summary>
    private Blend LearnBlend(RankingModel model, TrainerOptions trainer, Func<int, bool> users)
    {
        var learner = new BlendTrainer(trainer.Blend with { Seed = trainer.Seed });
        var (from, to) = (_set.Split.TrainEnd, _set.Split.ValidEnd);
        if (_options.Protocol == EvalProtocol.Temporal)
        {
            for (var cut = 0; cut < TemporalCuts; cut++)
            {
                var ranking = new TemporalRanking(_data.Log, _data.ItemIds, _types, _options.Task, from + ((to - from) * cut / TemporalCuts), to);
                ranking.Visit(model, (int k, in RankContext context, ReadOnlySpan<int> relevant, RankWorkspace workspace) =>
                {
                    if (users(ranking.Questions[k].User))
                        learner.Add(model, context, relevant, workspace);
                }, _cancel);
            }
        }
        else
        {
            var questions = Questions(2_000, null);
            var events = questions.Every(from, to, _options.LearnEvery).Where(e => users(_data.Log.User[e])).ToArray();
            questions.Visit(model, events, 1, (int k, in RankContext context, int target, RankWorkspace workspace) =>
            {
                learner.Add(model, context, target, workspace);
                Report("learn the blend: read", k, events.Length);
            }, _cancel);
        }

        return learner.Count == 0
            ? model.Blend
            : learner.Fit(
                (epoch, loss) => _progress?.Invoke($"learn the blend: loss {loss:f4}", (epoch + 1.0) / trainer.Blend.Epochs),
                _cancel);
    }

    private Judged JudgeBlend(RankingModel model, int seed, Func<int, bool> users)
    {
        if (_options.Protocol == EvalProtocol.Temporal)
            return JudgeLists(model, Prequential.Blend, seed, Temporal(2_000, null), users);
        var questions = Questions(2_000, null);
        var events = questions.Every(_fitEnd, _judgeEnd, _options.Every).Where(e => users(_data.Log.User[e])).ToArray();
        var done = 0;
        var (ranks, shown) = questions.Ranks(
            model, events, [], _cancel,
            judged: () => Report("judge the blend", Interlocked.Increment(ref done), events.Length));
        var judged = Judged.OfRanks(Prequential.Blend, seed, _data.Log, events, ranks[Prequential.Blend], _fitEnd, _judgeEnd);
        return judged with
        {
            Metrics = new Dictionary<string, double>(judged.Metrics) { ["coverage_20"] = shown.Length / (double)_data.ItemIds.Length },
            Shown = shown,
        };
    }

    private List<Judged> JudgeChannels(RankingModel model, IReadOnlyList<string> channels, int? seed, int maxHistory, LiveCountersOptions? windows)
    {
        if (_options.Protocol == EvalProtocol.Temporal)
            return [.. channels.Select(c => JudgeLists(model, c, seed, Temporal(maxHistory, windows), _ => true))];
        var questions = Questions(maxHistory, windows);
        var events = questions.Every(_fitEnd, _judgeEnd, _options.Every);
        var done = 0;
        var (ranks, _) = questions.Ranks(
            model, events, channels, _cancel, blended: false,
            () => Report("judge " + string.Join(", ", channels), Interlocked.Increment(ref done), events.Length));
        return [.. channels.Select(c => Judged.OfRanks(c, seed, _data.Log, events, ranks[c], _fitEnd, _judgeEnd))];
    }

    private Judged JudgeLists(RankingModel model, string name, int? seed, TemporalRanking ranking, Func<int, bool> users)
    {
        var lists = new List<int[]>();
        var questions = new List<TemporalQuestion>();
        var back = new Dictionary<int, int>();
        var space = new ItemSpace(model);
        for (var i = 0; i < _data.ItemIds.Length; i++)
            back[space.Intern(_data.ItemIds[i])] = i;
        ranking.Visit(model, (int k, in RankContext context, ReadOnlySpan<int> _, RankWorkspace workspace) =>
        {
            if (!users(ranking.Questions[k].User))
                return;
            var list = name == Prequential.Blend ? Listed(model.Rank(context, Prequential.ListLength, workspace)) : TopOf(model, name, context, workspace);
            lists.Add(Array.ConvertAll(list, i => back[i]));
            questions.Add(ranking.Questions[k]);
            Report("lists by " + name, k, ranking.Questions.Count);
        }, _cancel);
        return Judged.OfLists(name, seed, questions, [.. lists], _data.Log.ItemCounts(_fitEnd));
    }

    private static int[] Listed(ReadOnlySpan<RankedItem> list)
    {
        var items = new int[list.Length];
        for (var r = 0; r < items.Length; r++)
            items[r] = list[r].Item;
        return items;
    }

    private static int[] TopOf(RankingModel model, string channel, in RankContext context, RankWorkspace workspace)
    {
        var scores = new float[context.ItemCount];
        if (!model.ScoreChannel(channel, context, workspace, scores))
            Array.Clear(scores);
        var removed = new HashSet<int>();
        if (context.Seen == SeenRule.Exclude)
        {
            foreach (var e in context.History)
                removed.Add(e.Item);
            foreach (var item in context.Excluded)
                removed.Add(item);
        }

        var list = new int[Prequential.ListLength];
        return list[..RankingMetrics.Top(scores, model.FitCounts, [.. removed], list)];
    }

    private Prequential Questions(int maxHistory, LiveCountersOptions? windows) =>
        new(_data.Log, _data.ItemIds, _types, _options.Task, _options.Protocol == EvalProtocol.PrequentialStrict, maxHistory, windows);

    private TemporalRanking Temporal(int maxHistory, LiveCountersOptions? windows) =>
        new(_data.Log, _data.ItemIds, _types, _options.Task, _fitEnd, _judgeEnd, maxHistory, windows);

    private ModelArtifact ArtifactOf(string name, ModelConfig config, Dictionary<string, (long[] Shape, float[] Data)> tensors) => new(
        new ModelManifest
        {
            Name = name, Version = 1, CreatedAt = DateTimeOffset.UnixEpoch, Config = config,
            Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, _fitEnd, new Dictionary<string, long>()),
        },
        _data.ItemIds, tensors);

    private void Report(string stage, int done, int of)
    {
        if (done % 64 == 0)
            _progress?.Invoke(stage, (double)done / Math.Max(1, of));
    }
}
