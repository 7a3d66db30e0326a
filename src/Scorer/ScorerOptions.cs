using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Scorer;

/// <summary>Whether items a user already has may be recommended again.</summary>
public enum SeenPolicy
{
    /// <summary>
    /// A shop of consumables repeats, a film catalogue does not: decided from the
    /// share of repeats in the stream, see <see cref="ScorerOptions.RepeatShare"/>.
    /// </summary>
    Auto,

    /// <summary>Never.</summary>
    Exclude,

    /// <summary>Always.</summary>
    Repeat,
}

/// <summary>How a scorer works. Checked by the constructor of the worker.</summary>
public sealed record ScorerOptions
{
    /// <summary>host:port list of the brokers. No default.</summary>
    public required string BootstrapServers { get; init; }
    public Topics Topics { get; init; } = new();

    /// <summary>Consumer group; instances with the same group share the partitions. Default <c>streamrec-scorer</c>.</summary>
    public string GroupId { get; init; } = "streamrec-scorer";

    /// <summary>Name of the model in the registry whose champion serves. Default <c>streamrec</c>.</summary>
    public string ModelName { get; init; } = "streamrec";

    /// <summary>Folder under which the registry's artifact paths lie, when they are relative. Default <c>.</c></summary>
    public string ArtifactRoot { get; init; } = ".";

    /// <summary>Bounds of the in-memory graph window.</summary>
    public LiveGraphOptions Graph { get; init; } = new();

    /// <summary>Length of the lists that interactions cause, 1..500. Default 20; below 20 the HR@20 and MRR@20 of the lists mean less.</summary>
    public int ListLength { get; init; } = 20;

    /// <summary>
    /// How long after a user's first new event the list comes, 0..10 s. Default
    /// 200 ms. Longer saves lists of users who act fast, shorter is fresher.
    /// </summary>
    public TimeSpan Debounce { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How often consumed offsets are committed (acknowledged lists only). Default 1 s: what a crash makes the next instance score again.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long the group waits for a silent instance before its partitions move, 6 s..5 min.
    /// Default 10 s. Shorter fails over sooner, but also after a short stall.
    /// </summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the registry is asked for its champion. Default 1 s.</summary>
    public TimeSpan ModelPoll { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Default <see cref="SeenPolicy.Auto"/>.</summary>
    public SeenPolicy Seen { get; init; } = SeenPolicy.Auto;

    /// <summary>With <see cref="SeenPolicy.Auto"/>: the share of same-user, same-item, same-type events above which lists repeat. Default 0.1.</summary>
    public double RepeatShare { get; init; } = 0.1;

    /// <summary>Events per point of the accuracy history. Default 1,000; doubles by itself when the history is full.</summary>
    public int PrequentialWindow { get; init; } = 1_000;

    /// <summary>
    /// Event ids remembered per partition to drop a producer's second delivery. Default 200,000
    /// (5.6 MB); a duplicate further apart is counted twice here, though not in Postgres.
    /// </summary>
    public int RecentIdsPerPartition { get; init; } = 200_000;

    /// <summary>Lists produced but not acknowledged, at most. Default 10,000; at the bound the scorer waits for the broker.</summary>
    public int MaxInFlight { get; init; } = 10_000;

    /// <summary>Longest accepted request value in bytes. Default 64 KiB.</summary>
    public int MaxRequestBytes { get; init; } = 64 * 1024;

    /// <summary>Longest accepted id in UTF-8 bytes. Default 256.</summary>
    public int MaxIdLength { get; init; } = 256;

    /// <summary>Broker-side protection against doubled produces. Default on; turn off only for a broker without producer ids.</summary>
    public bool EnableIdempotence { get; init; } = true;

    /// <summary>Throws <see cref="ArgumentException"/> naming the first setting that cannot work, and its value.</summary>
    public void Validate()
    {
        Check(!string.IsNullOrWhiteSpace(BootstrapServers), nameof(BootstrapServers), BootstrapServers, "host:port of at least one broker");
        Check(!string.IsNullOrWhiteSpace(GroupId), nameof(GroupId), GroupId, "a group name");
        Check(!string.IsNullOrWhiteSpace(ModelName), nameof(ModelName), ModelName, "the name of a model");
        Check(ListLength is >= 1 and <= MaxK, nameof(ListLength), ListLength, $"1..{MaxK}");
        Check(Debounce >= TimeSpan.Zero && Debounce <= TimeSpan.FromSeconds(10), nameof(Debounce), Debounce, "0..10 s");
        Check(CommitInterval > TimeSpan.Zero && CommitInterval <= TimeSpan.FromMinutes(5), nameof(CommitInterval), CommitInterval, "up to 5 min");
        Check(SessionTimeout >= TimeSpan.FromSeconds(6) && SessionTimeout <= TimeSpan.FromMinutes(5), nameof(SessionTimeout), SessionTimeout, "6 s..5 min");
        Check(ModelPoll > TimeSpan.Zero && ModelPoll <= TimeSpan.FromHours(1), nameof(ModelPoll), ModelPoll, "up to 1 h");
        Check(RepeatShare is > 0 and < 1, nameof(RepeatShare), RepeatShare, "a share between 0 and 1");
        Check(PrequentialWindow >= 1, nameof(PrequentialWindow), PrequentialWindow, "1 or more");
        Check(RecentIdsPerPartition >= 1, nameof(RecentIdsPerPartition), RecentIdsPerPartition, "1 or more");
        Check(MaxInFlight >= 1, nameof(MaxInFlight), MaxInFlight, "1 or more");
        Check(MaxRequestBytes >= 64, nameof(MaxRequestBytes), MaxRequestBytes, "64 or more");
        Check(MaxIdLength >= 1, nameof(MaxIdLength), MaxIdLength, "1 or more");
    }

    /// <summary>Longest list a request may ask for.</summary>
    public const int MaxK = 500;

    private static void Check(bool ok, string name, object? value, string allowed)
    {
        if (!ok)
            throw new ArgumentException($"Scorer.{name} is '{value}'; it must be {allowed}", name);
    }
}
