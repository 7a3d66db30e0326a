using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Ingest;

/// <summary>Records of one partition of items.v1 or users.v1 until their transaction.</summary>
internal sealed class CatalogueBuffer(TopicPartition partition, long next, int maxRecords)
{
    private long _since;

    public TopicPartition Partition { get; } = partition;
    public long Expected { get; private set; } = next;
    public long Next { get; private set; } = next;
    public List<Keyed<ItemRecord>> Items { get; } = [];
    public List<Keyed<UserRecord>> Users { get; } = [];
    public List<SetAside> SetAside { get; } = [];

    public Dictionary<DeadLetterReason, long> Counts => SetAside.GroupBy(s => s.Reason).ToDictionary(g => g.Key, g => (long)g.Count());

    public CatalogueBatch<ItemRecord> ToItems() => new(Partition.Topic, Partition.Partition, Expected, Next, Items) { DeadLetters = Counts };

    public CatalogueBatch<UserRecord> ToUsers() => new(Partition.Topic, Partition.Partition, Expected, Next, Users) { DeadLetters = Counts };

    public bool IsDue(TimeSpan age) => Next > Expected && Stopwatch.GetElapsedTime(_since) >= age;

    public void Reset(long expected)
    {
        Expected = Next = expected;
        Items.Clear();
        Users.Clear();
        SetAside.Clear();
    }

    /// <summary>Takes a record in; true where the buffer is full.</summary>
    public bool Add(ConsumeResult<byte[]?, byte[]?> result, int maxKept)
    {
        if (result.Offset.Value < Next)
            return false;
        if (Next == Expected)
            _since = Stopwatch.GetTimestamp();
        Next = result.Offset.Value + 1;
        var (key, value) = (result.Message.Key, result.Message.Value);
        var (reason, detail) = value is null
            ? Tombstone(key, result.Message.Timestamp.UnixTimestampMs)
            : Partition.Topic.EndsWith(Topics.ItemsName, StringComparison.Ordinal)
                ? Item(value)
                : User(value);
        if (reason != DeadLetterReason.None)
        {
            var kept = value is null || value.Length <= maxKept ? value : value[..maxKept];
            SetAside.Add(new SetAside(
                Partition.Topic, Partition.Partition, result.Offset.Value, key, kept, value?.Length ?? 0, result.Message.Headers, reason, detail));
        }

        return Next - Expected >= maxRecords || SetAside.Sum(s => s.Size) >= IngestBatch.MaxSetAsideBytes;
    }

    private (DeadLetterReason, string?) Tombstone(byte[]? key, long loggedMs)
    {
        if (key is null)
            return (DeadLetterReason.MissingField, "key");
        if (!System.Text.Unicode.Utf8.IsValid(key))
            return (DeadLetterReason.NotUtf8, "key");
        var reason = Ids.Check(key);
        if (reason != DeadLetterReason.None)
            return (reason, "key");
        var id = Encoding.UTF8.GetString(key);
        if (Partition.Topic.EndsWith(Topics.ItemsName, StringComparison.Ordinal))
            Items.Add(new Keyed<ItemRecord>(id, null));
        else
            Users.Add(new Keyed<UserRecord>(id, null, loggedMs));
        return default;
    }

    private (DeadLetterReason, string?) Item(byte[] value)
    {
        if (!Json.TryDecode(value, out ItemRecord? item, out var reason, out var detail))
            return (reason, detail);
        Items.Add(new Keyed<ItemRecord>(item.ItemId, item));
        return default;
    }

    private (DeadLetterReason, string?) User(byte[] value)
    {
        if (!Json.TryDecode(value, out UserRecord? user, out var reason, out var detail))
            return (reason, detail);
        Users.Add(new Keyed<UserRecord>(user.UserId, user));
        return default;
    }
}
