using FsCheck;
using FsCheck.Fluent;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.GraphStore;

public sealed class SnapshotRowsTests
{
    private static readonly GraphSnapshot Empty = new()
    {
        Users = ["ann", "bob", "cem"], Items = [.. new[] { "cup", "pot", "tea" }.Select(id => new ItemRecord { ItemId = id })],
        User = [], Item = [], Type = [], Value = [], TimeMs = [], NextOffsets = new Dictionary<int, long>(),
    };

    [Fact]
    public void The_same_events_give_the_same_columns_whatever_their_order_and_however_they_are_shared_out()
    {
        // Few moments, so that many events share one; some differ in nothing.
        var events = (from user in Gen.Choose(0, 2)
                      from item in Gen.Choose(0, 2)
                      from type in Gen.Choose(1, 2)
                      from value in Gen.Elements(float.NaN, 0f, 2.5f)
                      from time in Gen.Choose(1, 9)
                      select (user, item, (byte)type, value, (long)time)).ListOf();
        Check.One(Properties.Quick, Prop.ForAll(events.Zip(Gen.Choose(0, int.MaxValue)).ToArbitrary(), input =>
        {
            var (given, seed) = input;
            var shuffled = given.ToArray();
            new Random(seed).Shuffle(shuffled);
            var (one, other) = (Columns(given, 1), Columns(shuffled, 3));
            Assert.Equal(one, other);
            Assert.Equal(given.Select(e => e.Item5).Order(), one.Select(e => e.Time));
            Assert.Equal(
                given.Select(e => (e.Item5, e.user, e.item, e.Item3, e.value)).Order(),
                one.Select(e => (e.Time, e.User, e.Item, e.Type, e.Value)).Order());
        }));
    }

    [Fact]
    public void More_rows_than_a_chunk_holds_keep_their_order()
    {
        const int Count = 200_000;
        var parts = new[] { new SnapshotRows(), new SnapshotRows() };
        for (var i = 0; i < Count; i++)
            parts[i % 2].Add(i % 3, i % 2, 1, i, i);
        Assert.Equal(Count, parts.Sum(p => p.Count));

        var snapshot = SnapshotRows.Into(Empty, parts);

        Assert.Equal(Enumerable.Range(0, Count).Select(i => (long)i), snapshot.TimeMs);
        Assert.Equal(Enumerable.Range(0, Count).Select(i => (float)i), snapshot.Value);
        Assert.Equal(Enumerable.Range(0, Count).Select(i => i % 3), snapshot.User);
        Assert.All(parts, p => Assert.Equal(0, p.Count));
    }

    private static (int User, int Item, byte Type, float Value, long Time)[] Columns(
        IReadOnlyList<(int User, int Item, byte Type, float Value, long Time)> events, int shares)
    {
        var parts = Enumerable.Range(0, shares).Select(_ => new SnapshotRows()).ToArray();
        for (var i = 0; i < events.Count; i++)
            parts[i % shares].Add(events[i].User, events[i].Item, events[i].Type, events[i].Value, events[i].Time);
        var s = SnapshotRows.Into(Empty, parts);
        return [.. Enumerable.Range(0, s.Count).Select(i => (s.User[i], s.Item[i], s.Type[i], s.Value[i], s.TimeMs[i]))];
    }
}
