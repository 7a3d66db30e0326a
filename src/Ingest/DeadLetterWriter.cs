using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;

namespace StreamRec.Ingest;

/// <summary>A record on its way to deadletters.v1.</summary>
internal sealed record SetAside(
    string Topic, int Partition, long Offset, byte[]? Key, byte[]? Value, int Length, Headers? Headers, DeadLetterReason Reason, string? Detail)
{
    /// <summary>Bytes it holds until it is produced.</summary>
    public int Size => (Value?.Length ?? 0) + (Key?.Length ?? 0) + 200;
}

/// <summary>
/// Writes dead letters and waits for the broker to have them: only then may the transaction that skips them commit. A crash in
/// between writes them again with the same source coordinates; the counts in Postgres move with the offset and stay exact.
/// Thread-safe.
/// </summary>
internal sealed class DeadLetterWriter : IDisposable
{
    /// <summary>Length of the original value, where only its start was kept.</summary>
    public const string TruncatedHeader = "dl_truncated";

    private const int MaxDetail = 500;

    private readonly string _topic;
    private readonly ILogger _log;
    private readonly IProducer<byte[]?, byte[]?> _producer;

    public DeadLetterWriter(IngestOptions options, ILogger log)
    {
        (_topic, _log) = (options.Topics.DeadLetters, log);
        _producer = new ProducerBuilder<byte[]?, byte[]?>(KafkaSettings.Producer(options))
            .SetLogHandler(KafkaSettings.LogTo(log)).SetErrorHandler((_, e) => Log.KafkaError(log, e.Reason, e.Code.ToString())).Build();
    }

    /// <summary>Completes when every record is acknowledged. Tries again until it is or the token is cancelled.</summary>
    public async Task WriteAsync(IReadOnlyList<SetAside> records, CancellationToken cancellation)
    {
        for (var left = records; left.Count > 0;)
        {
            var sent = left.Select(r => SendAsync(r, cancellation)).ToArray();
            var failed = new List<SetAside>();
            string? error = null;
            for (var i = 0; i < sent.Length; i++)
            {
                try
                {
                    await sent[i];
                }
                catch (KafkaException e)
                {
                    failed.Add(left[i]);
                    error = e.Error.Reason;
                }
            }

            if (failed.Count > 0)
            {
                Log.DeadLettersRetried(_log, failed.Count, error!);
                await Task.Delay(TimeSpan.FromSeconds(1), cancellation);
            }

            left = failed;
        }
    }

    /// <summary>A tombstone for a key of a compacted topic.</summary>
    public async Task TombstoneAsync(string topic, string key, CancellationToken cancellation) =>
        await _producer.ProduceAsync(topic, new Message<byte[]?, byte[]?> { Key = Encoding.UTF8.GetBytes(key), Value = null }, cancellation);

    public void Dispose()
    {
        _producer.Flush(TimeSpan.FromSeconds(5));
        _producer.Dispose();
    }

    private async Task SendAsync(SetAside record, CancellationToken cancellation)
    {
        var headers = new Headers();
        foreach (var header in record.Headers ?? [])
        {
            // Of an earlier round only the counter of replays stays; the rest describes this round.
            if (!header.Key.StartsWith("dl_", StringComparison.Ordinal) || header.Key == DeadLetterHeaders.Replays)
                headers.Add(header.Key, header.GetValueBytes());
        }

        headers.Add(DeadLetterHeaders.SourceTopic, Encoding.UTF8.GetBytes(record.Topic));
        headers.Add(DeadLetterHeaders.SourcePartition, Number(record.Partition));
        headers.Add(DeadLetterHeaders.SourceOffset, Number(record.Offset));
        headers.Add(DeadLetterHeaders.Reason, Encoding.UTF8.GetBytes(record.Reason.Code()));
        if (record.Detail is { } detail)
            headers.Add(DeadLetterHeaders.Detail, Encoding.UTF8.GetBytes(detail[..Math.Min(detail.Length, MaxDetail)]));
        if (record.Value is not null && record.Value.Length < record.Length)
            headers.Add(TruncatedHeader, Number(record.Length));
        await _producer.ProduceAsync(_topic, new Message<byte[]?, byte[]?> { Key = record.Key, Value = record.Value, Headers = headers }, cancellation);
    }

    private static byte[] Number(long value) => Encoding.UTF8.GetBytes(value.ToString(CultureInfo.InvariantCulture));
}
