using StreamRec.Model;

namespace StreamRec.Trainer;

/// <summary>A candidate, judged.</summary>
/// <param name="Artifact">Ready to be written; its manifest carries the metrics.</param>
/// <param name="Accepted">The gate's decision.</param>
/// <param name="Why">What the gate compared, in words.</param>
public sealed record TrainedModel(ModelArtifact Artifact, bool Accepted, string Why)
{
    public IReadOnlyDictionary<string, double> Metrics => Artifact.Manifest.Metrics;
}

/// <summary>What a run of the trainer role came to.</summary>
/// <param name="Version">The registered version.</param>
/// <param name="Promoted">It is champion now.</param>
/// <param name="Why">What the gate compared, in words.</param>
/// <param name="Metrics">
/// As in the manifest: the lists' own (<c>ndcg_10</c>, <c>hr_10</c> …) and
/// each channel's, the baseline's and the champion's under their prefix.
/// </param>
public sealed record TrainOutcome(long Version, bool Promoted, string Why, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>As stored in the registry.</summary>
    public string Status => Promoted ? ModelStatus.Champion : ModelStatus.Rejected;
}

/// <summary>There is too little to learn from; the message says what there is and which setting asks for more.</summary>
public sealed class NotEnoughDataException(string message) : Exception(message);
