namespace StreamRec.Model;

/// <summary>States of a model version, as stored.</summary>
public static class ModelStatus
{
    /// <summary>Written and registered, not in service.</summary>
    public const string Candidate = "candidate";

    /// <summary>In service; at most one per name.</summary>
    public const string Champion = "champion";

    /// <summary>Was champion; a rollback may put it back.</summary>
    public const string Retired = "retired";

    /// <summary>Lost against the champion on the same holdout.</summary>
    public const string Rejected = "rejected";

    /// <summary>Could not be loaded or evaluated.</summary>
    public const string Failed = "failed";
}

/// <summary>States of a training run, as stored.</summary>
public static class RunStatus
{
    public const string Requested = "requested";
    public const string Running = "running";

    /// <summary>Registered a model (promoted or not: see the model's row).</summary>
    public const string Succeeded = "succeeded";

    /// <summary>Trained, but the gate refused the result.</summary>
    public const string Rejected = "rejected";
    public const string Failed = "failed";
    public const string Cancelled = "cancelled";
}

/// <summary>
/// A row of <c>models</c>. Version is from a sequence: later is higher, gaps are normal. Path is the artifact's directory. PromotedAt is the last
/// promotion by <see cref="ModelRegistry.PromoteAsync"/>, null if never in service.
/// </summary>
public sealed record RegisteredModel(
    long Version, string Name, string Status, long? Parent, string Digest, string Path, ModelManifest Manifest,
    IReadOnlyDictionary<string, double> Metrics, DateTimeOffset CreatedAt, DateTimeOffset? PromotedAt);

/// <summary>A row of <c>train_runs</c>. Fraction is 0..1, Version the model it registered, if any.</summary>
public sealed record TrainRun(
    Guid RunId, string Status, string Reason, string RequestedBy, bool FineTune, DateTimeOffset RequestedAt, DateTimeOffset? StartedAt,
    DateTimeOffset? HeartbeatAt, DateTimeOffset? EndedAt, string? ClaimedBy, string Stage, double Fraction,
    IReadOnlyDictionary<string, double> Metrics, long? Version, string? Error);

/// <summary>A row of <c>audit</c>: who did what to what, when. Detail is a JSON object.</summary>
public sealed record AuditEntry(long Id, DateTimeOffset At, string Who, string Action, string Subject, string Detail);
