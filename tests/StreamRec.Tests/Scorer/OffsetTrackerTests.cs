using StreamRec.Scorer;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class OffsetTrackerTests
{
    [Fact]
    public void Without_open_entries_the_safe_offset_follows_the_read_one()
    {
        var tracker = new OffsetTracker();
        Assert.Equal(-1, tracker.Safe);
        tracker.Read(41);
        Assert.Equal(42, tracker.Safe);
    }

    [Fact]
    public void The_oldest_open_entry_holds_the_safe_offset_whatever_completes_behind_it()
    {
        var tracker = new OffsetTracker();
        var first = tracker.Open(10);
        tracker.Read(11);
        var second = tracker.Open(12);
        var third = tracker.Open(13);
        tracker.Complete(third);
        tracker.Complete(second);
        Assert.Equal(10, tracker.Safe);
        tracker.Complete(first);
        Assert.Equal(14, tracker.Safe);
        Assert.Equal(0, tracker.Pending);
    }

    [Fact]
    public void A_random_history_never_passes_an_open_entry()
    {
        var random = new Random(3);
        var tracker = new OffsetTracker();
        var open = new SortedDictionary<long, long>(); // offset -> token
        for (long offset = 0; offset < 20_000; offset++)
        {
            if (random.Next(3) == 0)
                tracker.Read(offset);
            else
                open.Add(offset, tracker.Open(offset));
            while (open.Count > 0 && random.Next(5) < 2)
            {
                var (done, token) = open.ElementAt(random.Next(Math.Min(open.Count, 50)));
                open.Remove(done);
                tracker.Complete(token);
            }

            Assert.Equal(open.Count > 0 ? open.Keys.First() : offset + 1, tracker.Safe);
        }
    }

    [Fact]
    public void Completing_twice_or_something_never_opened_is_an_error()
    {
        var tracker = new OffsetTracker();
        var token = tracker.Open(5);
        tracker.Complete(token);
        Assert.Throws<InvalidOperationException>(() => tracker.Complete(token));
        Assert.Throws<InvalidOperationException>(() => tracker.Complete(token + 1));
    }
}
