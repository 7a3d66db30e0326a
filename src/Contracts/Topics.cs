namespace StreamRec.Contracts;

/// <summary>
/// The seven topics. Each constant is the name without the prefix; <see cref="Topics"/> adds it.
/// Keys are UTF-8 strings, values UTF-8 JSON in snake_case; unknown fields are ignored.
/// </summary>
public sealed record Topics
{
    /// <summary>Key user_id, value <see cref="Interaction"/>. 8 partitions; delete, 7 d.</summary>
    public const string InteractionsName = "interactions.v1";

    /// <summary>Key item_id, value <see cref="ItemRecord"/>; a tombstone withdraws the item. 4 partitions; compact.</summary>
    public const string ItemsName = "items.v1";

    /// <summary>
    /// Key user_id, value <see cref="UserRecord"/>; a tombstone erases the person. 4 partitions;
    /// compact, tombstones kept 8 d: longer than interactions, so that a replay knows who is gone.
    /// </summary>
    public const string UsersName = "users.v1";

    /// <summary>Key user_id, value <see cref="RecommendationRequest"/>. Co-partitioned with interactions (8); delete, 1 d.</summary>
    public const string RequestsName = "requests.v1";

    /// <summary>Key user_id, value <see cref="RecommendationList"/>; a tombstone follows an erase. 8 partitions; compact + delete, 7 d.</summary>
    public const string RecommendationsName = "recommendations.v1";

    /// <summary>Key model name, value <see cref="ModelAnnouncement"/>. 1 partition; compact.</summary>
    public const string ModelsName = "models.v1";

    /// <summary>Key and value are the original bytes; headers as in <see cref="DeadLetterHeaders"/>. 4 partitions; delete, 30 d.</summary>
    public const string DeadLettersName = "deadletters.v1";

    /// <summary>Put in front of every topic name, so that several installations can share a cluster. Default <c>streamrec.</c>.</summary>
    public string Prefix { get; init; } = "streamrec.";

    public string Interactions => Prefix + InteractionsName;
    public string Items => Prefix + ItemsName;
    public string Users => Prefix + UsersName;
    public string Requests => Prefix + RequestsName;
    public string Recommendations => Prefix + RecommendationsName;
    public string Models => Prefix + ModelsName;
    public string DeadLetters => Prefix + DeadLettersName;

    /// <summary>Name, partitions, cleanup policy and retention of every topic; what <c>up</c> creates and infra/topics.yaml documents.</summary>
    public IReadOnlyList<TopicSpec> All =>
    [
        new(Interactions, 8, "delete", TimeSpan.FromDays(7)),
        new(Items, 4, "compact", null),
        new(Users, 4, "compact", null) { TombstoneRetention = TimeSpan.FromDays(8) },
        new(Requests, 8, "delete", TimeSpan.FromDays(1)),
        new(Recommendations, 8, "compact,delete", TimeSpan.FromDays(7)),
        new(Models, 1, "compact", null),
        new(DeadLetters, 4, "delete", TimeSpan.FromDays(30)),
    ];
}

/// <summary>How a topic is created.</summary>
/// <param name="Name">Full name, prefix included.</param>
/// <param name="Partitions">Partition count; interactions and requests must agree (co-partitioned by user).</param>
/// <param name="CleanupPolicy">Kafka's <c>cleanup.policy</c>.</param>
/// <param name="Retention">Kafka's <c>retention.ms</c>; null where compaction alone decides.</param>
public sealed record TopicSpec(string Name, int Partitions, string CleanupPolicy, TimeSpan? Retention)
{
    /// <summary>Kafka's <c>delete.retention.ms</c>; null leaves the broker's default, a day.</summary>
    public TimeSpan? TombstoneRetention { get; init; }

    /// <summary>The settings a topic is created with, by Kafka's names.</summary>
    public IReadOnlyDictionary<string, string> Config
    {
        get
        {
            var config = new Dictionary<string, string>(StringComparer.Ordinal) { ["cleanup.policy"] = CleanupPolicy };
            if (Retention is { } retention)
                config["retention.ms"] = Milliseconds(retention);
            if (TombstoneRetention is { } tombstones)
                config["delete.retention.ms"] = Milliseconds(tombstones);
            return config;
        }
    }

    private static string Milliseconds(TimeSpan time) => ((long)time.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
