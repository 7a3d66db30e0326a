using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Confluent.Kafka;
using StreamRec.Contracts;

namespace StreamRec.Ingest;

/// <summary>One record of deadletters.v1. Partition and Offset are its own; the source's are in the Source fields.</summary>
public sealed record DeadLetter
{
    public required int Partition { get; init; }
    public required long Offset { get; init; }
    public required DateTimeOffset Time { get; init; }
    public required string SourceTopic { get; init; }
    public required int SourcePartition { get; init; }
    public required long SourceOffset { get; init; }

    /// <summary>Stable code, see <see cref="DeadLetterReasons"/>.</summary>
    public required string Reason { get; init; }
    public string? Detail { get; init; }

    /// <summary>How often it was replayed and set aside again.</summary>
    public int Replays { get; init; }

    /// <summary>The original's length where only its start was kept: such a record cannot be replayed.</summary>
    public long? TruncatedFrom { get; init; }
    public byte[]? Key { get; init; }
    public byte[]? Value { get; init; }

    /// <summary>The original's headers.</summary>
    public required IReadOnlyList<KeyValuePair<string, byte[]>> Headers { get; init; }
}

/// <summary>Which dead letters; null fields let everything through.</summary>
public sealed record DeadLetterFilter
{
    public string? Reason { get; init; }
    public string? SourceTopic { get; init; }
    public DateTimeOffset? From { get; init; }
    public DateTimeOffset? Until { get; init; }
    public int? Partition { get; init; }
    public long? Offset { get; init; }

    /// <summary>Leaves out what was replayed this often already; null sets no limit.</summary>
    public int? MaxReplays { get; init; }

    internal bool Passes(DeadLetter letter) =>
        (Reason is null || letter.Reason == Reason) && (SourceTopic is null || letter.SourceTopic == SourceTopic)
        && (From is null || letter.Time >= From) && (Until is null || letter.Time <= Until)
        && (Partition is null || letter.Partition == Partition) && (Offset is null || letter.Offset == Offset)
        && (MaxReplays is null || letter.Replays <= MaxReplays);
}

/// <summary>Lists, shows and replays dead letters: the library behind <c>streamrec deadletters</c>.</summary>
public sealed class DeadLetters(IngestOptions options)
{
    private static readonly TimeSpan BrokerTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Every dead letter that passes the filter, up to what is on the topic now. Reads the topic from its start; joins no group.</summary>
    public async IAsyncEnumerable<DeadLetter> ListAsync(DeadLetterFilter filter, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var config = KafkaSettings.Consumer(options, options.GroupId + "-deadletters", "all");
        config.EnableAutoCommit = false;
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler(Quiet).Build();
        var ends = Assign(consumer, filter.Partition);
        while (ends.Count > 0)
        {
            var result = consumer.Consume(cancellation);
            if (ends.TryGetValue(result.TopicPartition, out var end) && result.Offset.Value < end && Parse(result) is { } letter && filter.Passes(letter))
                yield return letter;
            foreach (var partition in ends
                    .Where(e => consumer.Position(e.Key) is var p && p != Offset.Unset && p.Value >= e.Value)
                    .Select(e => e.Key)
                    .ToArray())
                ends.Remove(partition);
        }
    }

    /// <summary>One dead letter by its own coordinates, or null.</summary>
    public async Task<DeadLetter?> ShowAsync(int partition, long offset, CancellationToken cancellation = default)
    {
        await foreach (var letter in ListAsync(new DeadLetterFilter { Partition = partition, Offset = offset }, cancellation))
            return letter;
        return null;
    }

    /// <summary>
    /// Sends the original bytes back to their topics with <c>dl_replays</c> one higher; truncated ones are left out. A record that is
    /// still bad comes back with that count. Replaying twice does no harm: the graph knows each event's id.
    /// </summary>
    /// <returns>How many were sent and acknowledged, and how many left out because only their start was kept.</returns>
    public async Task<(long Sent, long Truncated)> ReplayAsync(DeadLetterFilter filter, CancellationToken cancellation = default)
    {
        using var producer = new ProducerBuilder<byte[]?, byte[]?>(KafkaSettings.Producer(options)).SetLogHandler(Quiet).Build();
        var (sent, truncated) = (0L, 0L);
        var pending = new List<Task>();
        await foreach (var letter in ListAsync(filter, cancellation))
        {
            if (letter.TruncatedFrom is not null)
            {
                truncated++;
                continue;
            }

            var headers = new Headers();
            foreach (var (name, value) in letter.Headers)
                headers.Add(name, value);
            headers.Add(DeadLetterHeaders.Replays, Encoding.UTF8.GetBytes((letter.Replays + 1).ToString(CultureInfo.InvariantCulture)));
            var message = new Message<byte[]?, byte[]?> { Key = letter.Key, Value = letter.Value, Headers = headers };
            pending.Add(producer.ProduceAsync(letter.SourceTopic, message, cancellation));
            sent++;
            if (pending.Count < 1000)
                continue;
            await Task.WhenAll(pending);
            pending.Clear();
        }

        await Task.WhenAll(pending);
        return (sent, truncated);
    }

    /// <summary>What fails is thrown; retries and reconnects of a short-lived client interest nobody.</summary>
    private static void Quiet(IClient client, LogMessage message)
    {
    }

    private Dictionary<TopicPartition, long> Assign(IConsumer<byte[]?, byte[]?> consumer, int? only)
    {
        using var admin = new AdminClientBuilder(KafkaSettings.Admin(options)).SetLogHandler(Quiet).Build();
        var topic = options.Topics.DeadLetters;
        var partitions = admin.GetMetadata(topic, BrokerTimeout).Topics
            .Single(t => t.Topic == topic)
            .Partitions
            .Select(p => new TopicPartition(topic, p.PartitionId));
        var ends = new Dictionary<TopicPartition, long>();
        var starts = new List<TopicPartitionOffset>();
        foreach (var partition in partitions.Where(p => only is null || p.Partition == only))
        {
            var offsets = consumer.QueryWatermarkOffsets(partition, BrokerTimeout);
            if (offsets.High.Value <= offsets.Low.Value)
                continue;
            ends[partition] = offsets.High.Value;
            starts.Add(new TopicPartitionOffset(partition, offsets.Low));
        }

        consumer.Assign(starts);
        return ends;
    }

    private static DeadLetter? Parse(ConsumeResult<byte[]?, byte[]?> result)
    {
        var headers = result.Message.Headers;
        if (Text(headers, DeadLetterHeaders.SourceTopic) is not { } topic || Text(headers, DeadLetterHeaders.Reason) is not { } reason)
            return null; // not written by us
        return new DeadLetter
        {
            Partition = result.Partition.Value,
            Offset = result.Offset.Value,
            Time = result.Message.Timestamp.UtcDateTime,
            SourceTopic = topic,
            SourcePartition = (int)Number(headers, DeadLetterHeaders.SourcePartition),
            SourceOffset = Number(headers, DeadLetterHeaders.SourceOffset),
            Reason = reason,
            Detail = Text(headers, DeadLetterHeaders.Detail),
            Replays = (int)Number(headers, DeadLetterHeaders.Replays),
            TruncatedFrom = Text(headers, DeadLetterWriter.TruncatedHeader) is null ? null : Number(headers, DeadLetterWriter.TruncatedHeader),
            Key = result.Message.Key,
            Value = result.Message.Value,
            Headers = [.. headers.Where(h => !h.Key.StartsWith("dl_", StringComparison.Ordinal)).Select(h => KeyValuePair.Create(h.Key, h.GetValueBytes()))],
        };
    }

    private static string? Text(Headers headers, string name) => headers.TryGetLastBytes(name, out var value) ? Encoding.UTF8.GetString(value) : null;

    private static long Number(Headers headers, string name) =>
        long.TryParse(Text(headers, name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : 0;
}
