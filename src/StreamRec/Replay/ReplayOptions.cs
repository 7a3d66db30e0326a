namespace StreamRec.Replay;

/// <summary>How fast a source goes out and when it is held back.</summary>
public sealed record ReplayOptions
{
    /// <summary>Interactions per second; null sends as fast as the slowest reader follows. Default null.</summary>
    public double? Speed { get; init; }

    /// <summary>Stop sending after so long; what is left of the source stays unsent. Default null: send everything.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Interactions sent but not yet taken by every followed group. Default 20,000: a second or two of work for the slowest stage.</summary>
    public int MaxOutstanding { get; init; } = 20_000;

    /// <summary>Messages one partition may hold ahead of the slowest group. Default 50,000, half of what the in-process broker keeps per partition.</summary>
    public int MaxPartitionMessages { get; init; } = 50_000;

    /// <summary>Bytes one partition may hold ahead of the slowest group. Default 2 MiB, under half of what the in-process broker keeps per partition.</summary>
    public long MaxPartitionBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>Consumer groups waited for on interactions.v1. Empty: nobody is waited for.</summary>
    public IReadOnlyList<string> Followed { get; init; } = [];

    /// <summary>The group waited for on items.v1; null: nobody.</summary>
    public string? ItemsFollowed { get; init; }

    /// <summary>How long a followed group may stand still, with messages waiting, before the replay says so. Default 30 s.</summary>
    public TimeSpan StallWarning { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The group ingest reads the catalogue topics with.</summary>
    public static string CatalogueGroup(Settings settings) => settings.Ingest.GroupId + "-catalogue";

    /// <summary>Reads <c>max</c> or a positive number of events per second.</summary>
    /// <exception cref="Sources.SourceException">Neither of the two.</exception>
    public static double? ParseSpeed(string speed)
    {
        if (string.Equals(speed, "max", StringComparison.OrdinalIgnoreCase))
            return null;
        return double.TryParse(speed, System.Globalization.CultureInfo.InvariantCulture, out var perSecond) && perSecond > 0 && double.IsFinite(perSecond)
            ? perSecond
            : throw new Sources.SourceException($"--speed '{speed}' is neither max nor a positive number of events per second");
    }
}
