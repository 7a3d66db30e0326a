namespace StreamRec.Contracts;

// Properties with a default have a setter instead of init, deliberately: the JSON source generator passes init-only properties
// through a constructor call and so loses their defaults when the field is absent.

/// <summary>Value of items.v1: one catalogue item. A null value (tombstone) withdraws it.</summary>
public sealed record ItemRecord
{
    public required string ItemId { get; init; }
    public string Title { get; set; } = "";
    public string? Text { get; init; }
    public IReadOnlyList<string> Categories { get; set; } = [];
    public IReadOnlyDictionary<string, string> Attributes { get; set; } = new Dictionary<string, string>();

    /// <summary>False takes the item out of every list at once, without losing its history.</summary>
    public bool Available { get; set; } = true;
    public DateTimeOffset? PublishedAt { get; init; }
}

/// <summary>Value of users.v1. A null value (tombstone) erases the person everywhere.</summary>
public sealed record UserRecord
{
    public required string UserId { get; init; }
    public IReadOnlyDictionary<string, string> Attributes { get; set; } = new Dictionary<string, string>();
}

/// <summary>Value of requests.v1: give me a list now. Either a user or session items (or both).</summary>
public sealed record RecommendationRequest
{
    public required string RequestId { get; init; }
    public string? UserId { get; init; }

    /// <summary>Items of an anonymous session, oldest first; used as history when the user is unknown.</summary>
    public IReadOnlyList<string> SessionItems { get; set; } = [];

    /// <summary>Length of the list, 1..500.</summary>
    public int K { get; set; } = 20;
    public string Surface { get; set; } = "";
    public RequestFilters Filters { get; set; } = new();
}

/// <summary>What a request rules in or out. Empty lists rule nothing.</summary>
public sealed record RequestFilters
{
    public IReadOnlyList<string> Categories { get; set; } = [];
    public IReadOnlyList<string> Exclude { get; set; } = [];
    public IReadOnlyList<string> Allow { get; set; } = [];
}

/// <summary>Value of recommendations.v1: one ranked list for one user.</summary>
public sealed record RecommendationList
{
    /// <summary>The request answered; null when new interactions caused the list.</summary>
    public string? RequestId { get; init; }

    /// <summary>
    /// <c>request</c> or <c>interactions</c>; the latter also where an item of the
    /// user's last list was withdrawn: caused_by then names the items topic.
    /// </summary>
    public required string Trigger { get; init; }
    public string? UserId { get; init; }
    public required IReadOnlyList<RecommendedItem> Items { get; init; }

    /// <summary>0 while no model is promoted: the list is then made of live counters and walks.</summary>
    public required long ModelVersion { get; init; }
    public string Variant { get; set; } = "champion";
    public CausedBy? CausedBy { get; init; }
    public required DateTimeOffset GeneratedAt { get; init; }
}

/// <param name="ItemId">The item.</param>
/// <param name="Rank">1-based.</param>
/// <param name="Score">Blended score; comparable within one list only.</param>
/// <param name="Channel">The channel with the largest share of the score: gnn, itemknn, popularity, personal, walk, text.</param>
/// <param name="Reason">The evidence in words a person can check, such as "because of i17, i4".</param>
/// <param name="Evidence">Items of the user's own history the reason rests on, strongest first; may be empty.</param>
public sealed record RecommendedItem(string ItemId, int Rank, float Score, string Channel, string Reason, IReadOnlyList<string> Evidence);

/// <summary>The newest event whose effect is in the list. <paramref name="Time"/> is the broker's timestamp of that event.</summary>
public sealed record CausedBy(string Topic, int Partition, long Offset, DateTimeOffset Time);

/// <summary>Value of models.v1.</summary>
public sealed record ModelAnnouncement(string Name, long Version, string Status, string Digest, IReadOnlyDictionary<string, double> Metrics);
