namespace StreamRec.Contracts.Control;

/// <summary>
/// Ask for a training run. A hint: the truth is the row in <c>train_runs</c>.
/// Sent by the interval and volume triggers and by <c>streamrec train</c>.
/// </summary>
public sealed record TrainRequested(Guid RunId, string Reason, bool FineTune, string RequestedBy, DateTimeOffset At);

/// <summary>How far a run is. Fraction 0..1.</summary>
public sealed record TrainingProgress(Guid RunId, string Stage, double Fraction, IReadOnlyDictionary<string, double> Metrics);

/// <summary>A candidate was written, checksummed and registered.</summary>
public sealed record ModelRegistered(long Version, string Status, IReadOnlyDictionary<string, double> Metrics);

/// <summary>A model became champion. Scorers poll the registry at once instead of at their next tick.</summary>
public sealed record ModelPromoted(long Version, string By);

/// <summary>An older champion was put back.</summary>
public sealed record ModelRolledBack(long FromVersion, long ToVersion, string By);

/// <summary>Stop or resume producing lists; requests wait on the topic meanwhile.</summary>
public sealed record ScoringPaused(bool Paused, string By);
