using System.Buffers.Binary;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// A batch turned on its side, sorted by (user, time): what goes to Postgres. Sorted, because transactions that take their row
/// locks in one order cannot deadlock, and because neighbouring rows share index pages. Reused from batch to batch.
/// </summary>
internal sealed class BatchColumns
{
    /// <summary>The user key of an event that is not to be written: its person was erased after it.</summary>
    public const long Refused = -1;

    private (long User, long TimeMs, long Item, int Index)[] _order = [];

    public List<long> Users { get; } = [];
    public List<long> Items { get; } = [];
    public List<long> Times { get; } = [];
    public List<long> Offsets { get; } = [];
    public List<Guid> EventIds { get; } = [];
    public List<float> Values { get; } = [];
    public List<short> Types { get; } = [];

    /// <summary>First keys, in step with the batch's events: filled by the caller before <see cref="Fill"/>.</summary>
    public long[] UserKeys { get; private set; } = [];
    public long[] ItemKeys { get; private set; } = [];

    public void Reserve(int count)
    {
        if (UserKeys.Length >= count)
            return;
        UserKeys = new long[count];
        ItemKeys = new long[count];
        _order = new (long, long, long, int)[count];
    }

    public void Fill(InteractionBatch batch)
    {
        Clear();
        var count = 0;
        for (var i = 0; i < batch.Events.Count; i++)
        {
            if (UserKeys[i] != Refused)
                _order[count++] = (UserKeys[i], batch.Events[i].TimeMs, ItemKeys[i], i);
        }

        var order = _order.AsSpan(0, count);
        order.Sort(static (a, b) => a.User != b.User ? a.User.CompareTo(b.User) : a.TimeMs != b.TimeMs ? a.TimeMs.CompareTo(b.TimeMs) : a.Index - b.Index);
        foreach (var (user, time, item, index) in order)
        {
            var e = batch.Events[index];
            Users.Add(user);
            Items.Add(item);
            Times.Add(time);
            Offsets.Add(batch.Offsets[index]);
            EventIds.Add(ToGuid(e.EventId));
            Values.Add(e.Value);
            Types.Add(e.Type);
        }
    }

    private void Clear()
    {
        Users.Clear();
        Items.Clear();
        Times.Clear();
        Offsets.Clear();
        EventIds.Clear();
        Values.Clear();
        Types.Clear();
    }

    public static Guid ToGuid(UInt128 id)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, id);
        return new Guid(bytes, bigEndian: true);
    }

    public static UInt128 FromGuid(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
