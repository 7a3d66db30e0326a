using StreamRec.Contracts;
using StreamRec.Scorer;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class RecentIdsTests
{
    [Fact]
    public void A_second_delivery_of_the_same_event_is_recognised()
    {
        var ids = new RecentIds(1000);
        Assert.True(ids.Add(EventIds.Hash("e1")));
        Assert.True(ids.Add(EventIds.Hash("e2")));
        Assert.False(ids.Add(EventIds.Hash("e1")));
        Assert.Equal(2, ids.Count);
    }

    [Fact]
    public void It_remembers_exactly_the_newest_ones_up_to_its_bound()
    {
        const int capacity = 3_000;
        var ids = new RecentIds(capacity);
        var random = new Random(1);
        var order = new Queue<ulong>();
        var known = new HashSet<ulong>();
        for (var i = 0; i < 50_000; i++)
        {
            var id = (ulong)random.Next(1, 6_000);
            Assert.Equal(!known.Contains(id), ids.Add(id));
            if (!known.Add(id))
                continue;
            order.Enqueue(id);
            if (order.Count > capacity)
                known.Remove(order.Dequeue());
            Assert.Equal(known.Count, ids.Count);
        }
    }

    [Fact]
    public void The_hash_zero_is_an_id_like_any_other()
    {
        var ids = new RecentIds(4);
        Assert.True(ids.Add(0UL));
        Assert.False(ids.Add(0UL));
    }
}
