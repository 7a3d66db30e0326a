using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>
/// What leaves the scorer on Kafka. Everything sent completes its offset when the broker has it, so an offset is never committed before its
/// effect is durable. Bounded: at <see cref="ScorerOptions.MaxInFlight"/> unacknowledged messages the sender waits. The client retries by itself
/// (idempotently); what it gives up on is fatal, <see cref="ThrowIfFailed"/>, because going on would leave a hole. One sending thread.
/// </summary>
internal sealed class Output : IDisposable
{
    private static readonly TimeSpan DeliveryTimeout = TimeSpan.FromMinutes(2);
    private readonly IProducer<byte[], byte[]?> _producer;
    private readonly ScorerStats _stats;
    private readonly Topics _topics;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _room;
    private readonly int _maxInFlight;
    private volatile Exception? _failure;

    public Output(ScorerOptions options, ScorerStats stats, TimeProvider time, ILogger logger)
    {
        (_stats, _topics, _time, _maxInFlight) = (stats, options.Topics, time, options.MaxInFlight);
        _room = new SemaphoreSlim(options.MaxInFlight);
        _producer = new ProducerBuilder<byte[], byte[]?>(new ProducerConfig
        {
            BootstrapServers = options.BootstrapServers,
            EnableIdempotence = options.EnableIdempotence,
            Acks = Acks.All,
            LingerMs = 2, // a list waits behind no more than this for others to share its request
            CompressionType = CompressionType.Lz4,
            Partitioner = Partitioner.Murmur2Random, // the Java clients' default, so that outside producers and we agree on partitions
            MessageTimeoutMs = (int)DeliveryTimeout.TotalMilliseconds,
            QueueBufferingMaxMessages = options.MaxInFlight * 2,
        })
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, error) =>
            {
                logger.Broker(error.Reason);
                if (error.IsFatal)
                    _failure = new KafkaException(error);
            })
            .Build();
    }

    /// <summary>Messages sent and not acknowledged yet.</summary>
    public int InFlight => _maxInFlight - _room.CurrentCount;

    /// <summary>Sends a list; its offset is complete, and its latency measured, once the broker has it.</summary>
    public void SendList(string key, byte[] value, in Cause cause, bool request, OffsetTracker? tracker, long token)
    {
        var brokerMs = cause.BrokerMs;
        Headers? headers = null;
        if (cause.TraceParent is not null)
            (headers = []).Add(WireHeaders.TraceParent, cause.TraceParent);
        Send(_topics.Recommendations, Encoding.UTF8.GetBytes(key), value, headers, () =>
        {
            _stats.CountList(request, TimeSpan.FromMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds() - brokerMs));
            tracker?.Complete(token);
        });
    }

    /// <summary>Withdraws what recommendations.v1 holds for an erased user.</summary>
    public void SendTombstone(string user) =>
        Send(_topics.Recommendations, Encoding.UTF8.GetBytes(user), null, null, static () => { });

    /// <summary>Sets a request aside with its original bytes and the reason.</summary>
    public void SendDeadLetter(ConsumeResult<byte[], byte[]?> source, DeadLetterReason reason, string? detail, OffsetTracker tracker, long token)
    {
        var headers = new Headers();
        foreach (var header in source.Message.Headers ?? [])
            headers.Add(header.Key, header.GetValueBytes());
        Add(DeadLetterHeaders.SourceTopic, source.Topic);
        Add(DeadLetterHeaders.SourcePartition, source.Partition.Value.ToString(CultureInfo.InvariantCulture));
        Add(DeadLetterHeaders.SourceOffset, source.Offset.Value.ToString(CultureInfo.InvariantCulture));
        Add(DeadLetterHeaders.Reason, reason.Code());
        if (detail is not null)
            Add(DeadLetterHeaders.Detail, detail);
        Send(_topics.DeadLetters, source.Message.Key, source.Message.Value, headers, () =>
        {
            _stats.CountDeadLetter(reason);
            tracker.Complete(token);
        });

        void Add(string name, string text) => headers.Add(name, Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Throws what made a delivery impossible.</summary>
    public void ThrowIfFailed()
    {
        if (_failure is { } failure)
            throw new InvalidOperationException("the broker did not take a list; nothing after it was committed, so a restart produces it again", failure);
    }

    /// <summary>Waits until the broker has everything; false when <paramref name="atMost"/> passed first.</summary>
    public bool Flush(TimeSpan atMost)
    {
        _producer.Flush(atMost);
        return InFlight == 0;
    }

    public void Dispose()
    {
        _producer.Dispose();
        _room.Dispose();
    }

    private void Send(string topic, byte[]? key, byte[]? value, Headers? headers, Action acknowledged)
    {
        while (!_room.Wait(TimeSpan.FromMilliseconds(100)))
            ThrowIfFailed();
        try
        {
            _producer.Produce(topic, new Message<byte[], byte[]?> { Key = key!, Value = value, Headers = headers }, report =>
            {
                if (report.Error.IsError)
                    _failure = new KafkaException(report.Error);
                else
                    acknowledged();
                _room.Release();
            });
        }
        catch
        {
            _room.Release();
            throw;
        }
    }
}
