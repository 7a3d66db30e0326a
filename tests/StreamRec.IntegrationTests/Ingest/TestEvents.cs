using System.Globalization;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>Made-up but deterministic events for tests.</summary>
internal static class TestEvents
{
    public const string Topic = "test.interactions.v1";
    public const long Start = 1_700_000_000_000;

    public static Interaction[] Many(int count, int seed = 1, int users = 50, int items = 80)
    {
        var random = new Random(seed);
        var types = EventTypes.Default.All;
        return [.. Enumerable.Range(0, count).Select(i => new Interaction(
            EventIds.Hash(EventId(seed, i)), $"u{random.Next(users)}", $"i{random.Next(items)}", types[random.Next(types.Length)].Code,
            random.Next(3) == 0 ? float.NaN : random.Next(1, 6), Start + random.NextInt64(40L * 24 * 3600 * 1000)))];
    }

    public static string EventId(int seed, int index) => string.Create(CultureInfo.InvariantCulture, $"event-{seed}-{index}");

    public static InteractionBatch Batch(long expected, IEnumerable<Interaction> events, int partition = 0, string topic = Topic)
    {
        var batch = new InteractionBatch(topic, partition);
        batch.Reset(expected);
        var offset = expected;
        foreach (var e in events)
            batch.Add(offset++, e);
        return batch;
    }
}
