using System.Diagnostics;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;

namespace StreamRec.Trainer.External;

/// <summary>
/// Makes a model of what an external trainer hands back: its vectors and user encoder become the graph channel, the closed-form channels are fitted beside it,
/// the blend is learned on the first half of the events it has not seen, and lists are judged on the second half, next to the champion, by the same gate as a
/// model trained here.
/// </summary>
public sealed class ExternalTrainer(TrainerOptions options, EventTypes types)
{
    /// <summary>Events needed in each of the two halves.</summary>
    private const int LeastEvents = 100;

    /// <exception cref="NotEnoughDataException">Too few events are newer than what it has learned.</exception>
    /// <exception cref="InvalidDataException">A tensor of the user encoder is missing or of another shape.</exception>
    public TrainedModel Assemble(ExternalModel external, GraphSnapshot snapshot, TextVectors? text, Champion? champion, long version, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var data = new TrainingData(snapshot, text, types, options.MaxCategories);
        var known = Array.FindLastIndex(data.Log.TimeMs, t => t <= external.Manifest.UntilMs) + 1;
        var from = champion is null ? known : Math.Max(known, Array.FindLastIndex(data.Log.TimeMs, t => t <= champion.UntilMs) + 1);
        // What the champion knows should not judge it, but the blend may learn from it. Where nothing else is left, it does judge, and the decision says so.
        var half = known + ((data.Log.Count - known) / 2);
        var validEnd = data.Log.Count - Math.Max(from, half) < LeastEvents ? half : Math.Max(from, half);
        if (known == 0 || validEnd - known < LeastEvents || data.Log.Count - validEnd < LeastEvents)
        {
            throw new NotEnoughDataException(
                $"the external model has learned {known} of {data.Log.Count} events; "
                + $"{validEnd - known} are left to learn the blend from and {data.Log.Count - validEnd} to judge by, "
                + $"and each needs {LeastEvents}: train it on the events before graph.json's train_end");
        }

        var seen = data.RepeatShare() >= options.RepeatShare ? SeenRule.Repeat : SeenRule.Exclude;
        var assembly = AssemblyOf(external, data, seen);
        var prequential = new Prequential(data.Log, data.ItemIds, data.Types, seen, strict: true);
        ModelArtifact Artifact(int end, Blend? blend, IReadOnlyDictionary<string, double> metrics) =>
            assembly.ToArtifact(external.For(data.ItemIds), end, version, null, blend, metrics, cancel);
        var none = new Dictionary<string, double>();

        var learner = new BlendTrainer(options.Blend with { Seed = options.Seed });
        var mixing = prequential.Spread(known, validEnd, options.BlendEvents);
        var unmixed = RankingModel.From(Artifact(known, null, none));
        prequential.Visit(
            unmixed, mixing, 1,
            (int _, in RankContext context, int target, RankWorkspace workspace) =>
                learner.Add(unmixed, context, target, workspace),
            cancel);
        var blend = learner.Count > 0 ? learner.Fit(null, cancel) : null;
        var model = RankingModel.From(Artifact(validEnd, blend, none));
        var judging = prequential.Spread(validEnd, data.Log.Count, options.HoldoutEvents);
        var (ranks, shown) = prequential.Ranks(model, judging, model.Channels, cancel);
        var own = champion is null ? null : prequential.Ranks(champion.Model, judging, [], cancel).Ranks[Prequential.Blend];
        var counts = data.Log.ItemCounts(validEnd);
        var report = new HoldoutReport(
            [.. judging.Select(e => data.Log.User[e])], ranks, own, [.. judging.Select(e => counts[data.Log.Item[e]] < HoldoutReport.ColdEvents)],
            shown.Length / (double)data.ItemIds.Length);
        var (accepted, why) = report.Decide(options.GateTolerance);
        if (validEnd < from)
            why += "; the champion has learned some of these events, the external model has not";
        var metrics = report.ToMetrics();
        foreach (var (name, value) in external.Manifest.Metrics)
            metrics["external_" + name] = value;
        metrics["assemble_s"] = clock.Elapsed.TotalSeconds;
        // Served: the closed-form channels know everything, the external vectors what they were trained on.
        return new TrainedModel(Artifact(accepted ? data.Log.Count : validEnd, blend, metrics), accepted, why);
    }

    private ModelAssembly AssemblyOf(ExternalModel external, TrainingData data, SeenRule seen)
    {
        var plain = new ModelAssembly(options, data, seen).Config;
        // Whether the vectors read texts is not known here: whoever trained them says so in newItems.channels.
        var encoder = external.Manifest.Encoder;
        if (encoder.AttributeRows != 0)
            throw new InvalidDataException($"external.json: attribute_rows is {encoder.AttributeRows}; user attributes are not exported, so it must be 0");
        return new ModelAssembly(options, data, seen)
        {
            Config = plain with
            {
                Encoder = encoder, Members = null, UserAttributes = null, NewItems = options.NewItems,
                Training = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["external"] = external.Manifest.Trainer },
            },
        };
    }
}
