using System.Text.Json;
using System.Text.Json.Serialization;
using StreamRec.Model;
using StreamRec.Trainer.Evaluation;

namespace StreamRec.Commands;

/// <summary>One ranker's line of an evaluation.</summary>
/// <param name="Name"><c>blend</c>, a channel or a baseline.</param>
/// <param name="Task"><c>exclude</c>, <c>repeat</c> or <c>new</c>.</param>
/// <param name="Seed">The run's seed, <c>mean</c> over all of them, or empty where nothing is random.</param>
/// <param name="Ndcg10">Mean over questions.</param>
/// <param name="Ndcg10Low">Of the 95 % bootstrap interval over users.</param>
/// <param name="Ndcg10High">Its other end.</param>
/// <param name="Metrics">All means.</param>
/// <param name="TrainS">Seconds of training; 0 where nothing had to be trained.</param>
/// <param name="Paired">Difference in NDCG@10 to each system of --against.</param>
internal sealed record EvalModel(
    string Name, string Task, string Seed, double Ndcg10, double Ndcg10Low, double Ndcg10High, IReadOnlyDictionary<string, double> Metrics, double TrainS,
    IReadOnlyDictionary<string, EvalPaired> Paired);

/// <summary>A paired difference; the error is clustered by user.</summary>
internal sealed record EvalPaired(int N, double Mean, double Se, double Z);

/// <summary>What <c>eval --report</c> writes.</summary>
internal sealed record EvalReport(string Dataset, string Protocol, string Task, string Part, int Every, SplitFingerprint Split, IReadOnlyList<EvalModel> Models)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static EvalReport Of(
        EvaluationSet set, EvalOptions options, string protocol, EvalResult result, IReadOnlyDictionary<string, Dictionary<string, Array>> against)
    {
        var task = options.Task == SeenRule.Repeat ? "repeat" : set.Repeats ? "new" : "exclude";
        var raw = set.RawTask(options.Protocol, options.Task);
        var models = result.Judged.Select(j =>
        {
            var (mean, low, high) = Bootstrap.Interval(j.Ndcg10, j.Users);
            var paired = against.Select(a => (a.Key, Difference: PairedDifference.Against(j, raw, a.Value))).Where(p => p.Difference is not null)
                .ToDictionary(p => p.Key, p => new EvalPaired(p.Difference!.Questions, p.Difference.Mean, p.Difference.StandardError, p.Difference.Z));
            var seed = j.Seed?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? (j.IsMean ? "mean" : "");
            return new EvalModel(j.Name, task, seed, mean, low, high, j.Metrics, j.Seed is { } s ? result.TrainSeconds.GetValueOrDefault(s) : 0, paired);
        });
        return new EvalReport(set.Name, protocol, task, options.Split == EvalSplit.Valid ? "valid" : "test", options.Every, set.Fingerprint(), [.. models]);
    }

    public void Write(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, JsonSerializer.Serialize(this, Json));
    }
}
