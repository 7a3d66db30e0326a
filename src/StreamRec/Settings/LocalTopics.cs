using StreamRec.Contracts;
using StreamRec.Local;

namespace StreamRec;

/// <summary>The contract's topics in the form infra/local creates them in.</summary>
public static class LocalTopics
{
    /// <summary>All seven topics with partitions, cleanup policy and retention.</summary>
    public static IReadOnlyList<LocalTopic> Of(Topics topics) => [.. topics.All.Select(Of)];

    private static LocalTopic Of(TopicSpec topic) => new(topic.Name, topic.Partitions, topic.Config);
}
