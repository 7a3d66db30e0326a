using FsCheck;
using FsCheck.Fluent;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.GraphStore;

public sealed class PackedHistoryTests
{
    private const int Limit = 20;

    [Fact]
    public void What_is_written_is_read_back_newest_first()
    {
        RecentEvent[] events =
        [
            new("i1", 1, float.NaN, 1_700_000_000_000), new("größe ∞ 😀", 31, 4.5f, 1_700_000_100_000), new("i3", 5, 3f, 1_700_000_000_001),
            new("i4", 2, -0f, 0), new("i5", 2, 256f, 253_402_300_799_999), new("i6", 6, 0f, 5),
        ];
        var read = PackedHistory.Read(PackedHistory.Merge([], events, 100));
        Assert.Equal(events.OrderByDescending(e => e.TimeMs), read);
        Assert.Equal(read[..2], PackedHistory.Read(PackedHistory.Merge([], events, 2)));
        Assert.Empty(PackedHistory.Read([]));
    }

    [Fact]
    public void Fifty_events_of_short_ids_take_less_than_640_bytes()
    {
        var events = Enumerable.Range(0, 50).Select(i => new RecentEvent("i" + (10_000 + i), 1, float.NaN, 1_700_000_000_000 + (i * 70_000_000L))).ToArray();
        Assert.InRange(PackedHistory.Merge([], events, 50).Length, 500, 640);
    }

    [Fact]
    public void The_same_events_in_any_order_and_portions_some_twice_give_the_same_bytes_and_those_of_a_naive_list() =>
        Check.One(Properties.Quick, Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), InAnyOrder));

    private static bool InAnyOrder(int seed)
    {
        var random = new Random(seed);
        var events = Enumerable.Range(0, random.Next(1, 80)).Select(_ => new RecentEvent(
            "i" + random.Next(8), (byte)random.Next(1, 3), random.Next(2) == 0 ? float.NaN : random.Next(3), random.Next(40))).ToArray();
        var once = PackedHistory.Merge([], events, Limit);

        RecentEvent[] delivered = [.. events, .. events.Where(_ => random.Next(3) == 0)];
        random.Shuffle(delivered);
        byte[] portions = [];
        foreach (var portion in delivered.Chunk(random.Next(1, 20)))
            portions = PackedHistory.Merge(portions, portion, Limit);

        var naive = events.GroupBy(e => (e.ItemId, e.Type, BitConverter.SingleToInt32Bits(e.Value))).Select(g => g.MaxBy(e => e.TimeMs))
            .OrderByDescending(e => e.TimeMs).ThenBy(e => !float.IsNaN(e.Value)).ThenBy(e => e.Type).ThenBy(e => e.Value)
            .ThenBy(e => e.ItemId, StringComparer.Ordinal).Take(Limit);
        return once.AsSpan().SequenceEqual(portions) && PackedHistory.Read(once).SequenceEqual(naive);
    }
}
