using System.Globalization;
using StreamRec.Contracts;
using StreamRec.Local;

namespace StreamRec;

/// <summary>The contract's topics in the form infra/local creates them in.</summary>
public static class LocalTopics
{
    /// <summary>All seven topics with partitions, cleanup policy and retention.</summary>
    public static IReadOnlyList<LocalTopic> Of(Topics topics) => [.. topics.All.Select(Of)];

    private static LocalTopic Of(TopicSpec topic)
    {
        var config = new Dictionary<string, string> { ["cleanup.policy"] = topic.CleanupPolicy };
        if (topic.Retention is { } retention)
            config["retention.ms"] = ((long)retention.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        return new LocalTopic(topic.Name, topic.Partitions, config);
    }
}
