using StreamRec.Model;

namespace StreamRec.Trainer.Evaluation;

/// <summary>What one evaluation does.</summary>
public sealed record EvalOptions
{
    public required EvalProtocol Protocol { get; init; }

    /// <summary>Whether seen items are taken out of the lists; then only events on items that are new to the person are judged.</summary>
    public required SeenRule Task { get; init; }

    public EvalSplit Split { get; init; } = EvalSplit.Test;

    /// <summary>Runs with seeds 0, 1, …; results are reported for each and for their mean.</summary>
    public int Seeds { get; init; } = 1;

    /// <summary>Channels of the model; empty = all that the data allows.</summary>
    public IReadOnlyList<string> Channels { get; init; } = [];

    /// <summary>Judge every n-th event only.</summary>
    public int Every { get; init; } = 1;

    /// <summary>Learn the blend from every n-th event of the learning part only.</summary>
    public int LearnEvery { get; init; } = 1;

    /// <summary>Judge the baselines as well. Default true.</summary>
    public bool Baselines { get; init; } = true;

    /// <summary>
    /// Judge a model as well that is fine-tuned on every so many events of the
    /// judged part, right after they were judged; 0, the default, does not.
    /// </summary>
    public int LearnOnEvery { get; init; }

    /// <summary>Judge encoders as well that learned the train part in full and the validation part by fine-tuning. Of the test part only.</summary>
    public bool FineTuned { get; init; }

    /// <summary>Trained encoders are kept here and found again by their settings; null trains anew each time.</summary>
    public string? ModelsDirectory { get; init; }
}

/// <summary>Results of one evaluation.</summary>
/// <param name="Judged">Every ranker's, in the order of the report: baselines, channels and the blend, each seed and then their mean.</param>
/// <param name="TrainSeconds">Seconds the encoders took, by seed; 0 where they were found in <see cref="EvalOptions.ModelsDirectory"/>.</param>
public sealed record EvalResult(IReadOnlyList<Judged> Judged, IReadOnlyDictionary<int, double> TrainSeconds);

/// <summary>Told as an evaluation goes on.</summary>
/// <param name="stage">What it does.</param>
/// <param name="fraction">How much of that is done.</param>
public delegate void EvalProgress(string stage, double fraction);
