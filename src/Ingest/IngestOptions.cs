using StreamRec.Contracts;

namespace StreamRec.Ingest;

/// <summary>How ingest reads the log. Checked in the worker's constructor.</summary>
public sealed record IngestOptions
{
    /// <summary>Kafka's <c>bootstrap.servers</c>.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>Topic names; the prefix sets installations apart.</summary>
    public Topics Topics { get; init; } = new();

    /// <summary>
    /// Consumer group that divides the partitions between ingest processes.
    /// Offsets themselves live in Postgres. Default <c>streamrec-ingest</c>.
    /// </summary>
    public string GroupId { get; init; } = "streamrec-ingest";

    /// <summary>
    /// Most events per transaction. Default 8,000: larger takes more memory and gains little,
    /// smaller pays the commit more often and finds fewer events of one person together.
    /// </summary>
    public int MaxBatchEvents { get; init; } = 8000;

    /// <summary>Longest an event waits for company before its batch is applied. Default 100 ms.</summary>
    public TimeSpan MaxBatchAge { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Batches a partition may hold decoded; beyond that its consumer is paused. Default 2:
    /// with the one being filled and the one being applied about 2 MB per partition.
    /// </summary>
    public int MaxWaitingBatches { get; init; } = 2;

    /// <summary>What an event may be.</summary>
    public DecoderOptions Decoder { get; init; } = new();

    /// <summary>
    /// How long interactions are kept, by event time. Default zero: for ever. Partitions of whole months that ended before are dropped; an
    /// event older than this is set aside as <see cref="DeadLetterReason.TooOld"/>. Edges keep what was folded into them.
    /// </summary>
    public TimeSpan Retention { get; init; }

    /// <summary>
    /// Largest value kept whole in a dead letter; of a larger one the start is kept,
    /// and its length in a header. Default 512 KiB, below the broker's usual 1 MB.
    /// </summary>
    public int MaxDeadLetterBytes { get; init; } = 512 * 1024;

    /// <summary>
    /// How long cancellation waits for decoded events to be applied.
    /// Default 20 s. Zero drops them at once; they are read again at the next start.
    /// </summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Silence after which the group gives this process's partitions away. Default 10 s.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Extra librdkafka settings (security, tuning), applied last.</summary>
    public IReadOnlyDictionary<string, string> Kafka { get; init; } = new Dictionary<string, string>();

    /// <exception cref="ArgumentException">A setting is out of range; the message names it and its value.</exception>
    internal void Check()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(BootstrapServers);
        ArgumentException.ThrowIfNullOrWhiteSpace(GroupId);
        Require(MaxBatchEvents is >= 1 and <= 100_000, nameof(MaxBatchEvents), MaxBatchEvents, "1..100000");
        Require(MaxBatchAge > TimeSpan.Zero && MaxBatchAge <= TimeSpan.FromMinutes(1), nameof(MaxBatchAge), MaxBatchAge, "above 0 up to 1 minute");
        Require(MaxWaitingBatches is >= 1 and <= 1000, nameof(MaxWaitingBatches), MaxWaitingBatches, "1..1000");
        Require(Retention == TimeSpan.Zero || Retention >= TimeSpan.FromDays(1), nameof(Retention), Retention, "0 (for ever), or 1 day or more");
        Require(MaxDeadLetterBytes >= 1024, nameof(MaxDeadLetterBytes), MaxDeadLetterBytes, "1024 or more");
        Require(DrainTimeout >= TimeSpan.Zero, nameof(DrainTimeout), DrainTimeout, "0 or more");
    }

    private static void Require<T>(bool holds, string name, T value, string range)
    {
        if (!holds)
            throw new ArgumentException($"{nameof(IngestOptions)}.{name} is {value}, allowed: {range}");
    }
}
