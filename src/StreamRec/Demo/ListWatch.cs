using Confluent.Kafka;
using StreamRec.Contracts;

namespace StreamRec.Demo;

/// <summary>
/// An outside consumer of recommendations.v1, as any product service would be one: counts lists, tells whoever listens, and notices gaps.
/// Reads from the start, assigned to all partitions, in no group.
/// </summary>
internal sealed class ListWatch : IDisposable
{
    private readonly IConsumer<Ignore, byte[]> _consumer;
    private readonly Topics _topics;
    private readonly int _partitions;
    private readonly Dictionary<int, long> _next = [];
    private long _lists, _answers, _missed, _unreadable;

    public ListWatch(string bootstrap, Topics topics)
    {
        _topics = topics;
        _partitions = topics.All.Single(t => t.Name == topics.Recommendations).Partitions;
        _consumer = new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig
        {
            BootstrapServers = bootstrap, GroupId = "streamrec-demo-outside", EnableAutoCommit = false, AutoOffsetReset = AutoOffsetReset.Earliest,
            FetchWaitMaxMs = 50,
        }).SetLogHandler((_, _) => { }).Build();
    }

    /// <summary>Lists read.</summary>
    public long Lists => Volatile.Read(ref _lists);

    /// <summary>Of these, answers to the demo's own requests: somebody may ask from a second terminal.</summary>
    public long Answers => Volatile.Read(ref _answers);

    /// <summary>Lists the broker had deleted before this consumer read them.</summary>
    public long Missed => Volatile.Read(ref _missed);

    /// <summary>Values that are no recommendation list; must stay 0.</summary>
    public long Unreadable => Volatile.Read(ref _unreadable);

    /// <summary>Called for each list, on the reading thread.</summary>
    public Action<RecommendationList>? OnList { get; init; }

    /// <summary>Reads until cancelled.</summary>
    /// <exception cref="ConsumeException">The broker refused.</exception>
    public void Run(CancellationToken cancellationToken)
    {
        _consumer.Assign(Enumerable.Range(0, _partitions).Select(p => new TopicPartitionOffset(_topics.Recommendations, p, Offset.Beginning)));
        try
        {
            while (true)
                Take(_consumer.Consume(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            _consumer.Close();
        }
    }

    public void Dispose() => _consumer.Dispose();

    private void Take(ConsumeResult<Ignore, byte[]> result)
    {
        if (result.Message is null)
            return;
        var partition = result.Partition.Value;
        Interlocked.Add(ref _missed, result.Offset.Value - _next.GetValueOrDefault(partition));
        _next[partition] = result.Offset.Value + 1;
        Interlocked.Increment(ref _lists);
        if (result.Message.Value is not { } value)
            return; // a tombstone: somebody was erased
        if (!Json.TryDecode(value, out RecommendationList? list, out _, out _))
        {
            Interlocked.Increment(ref _unreadable);
            return;
        }

        if (list.RequestId?.StartsWith(Requester.IdPrefix, StringComparison.Ordinal) == true)
            Interlocked.Increment(ref _answers);
        OnList?.Invoke(list);
    }
}
