using FsCheck;
using FsCheck.Fluent;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class LiveCountersTests
{
    private static readonly LiveCountersOptions Exact = new() { MonthMs = 1000, DayMs = 100, MonthStepMs = 1, DayStepMs = 1 };

    [Fact]
    public void Exact_windows_equal_a_naive_count_after_every_event()
    {
        Check.One(Properties.Quick, Prop.ForAll(Gen.Choose(0, 60).Zip(Gen.Choose(0, 9)).ListOf().ToArbitrary(), steps =>
        {
            var counters = new LiveCounters(2, Exact);
            var log = new List<(int Item, long Time)>();
            long now = 5;
            foreach (var (gap, item) in steps)
            {
                now += gap;
                counters.Add(item, now);
                log.Add((item, now));
                for (var i = 0; i < 10; i++)
                {
                    Assert.Equal(log.Count(e => e.Item == i && e.Time > now - 1000), At(counters.Month, i));
                    Assert.Equal(log.Count(e => e.Item == i && e.Time > now - 100), At(counters.Day, i));
                    Assert.Equal(log.Count(e => e.Item == i), At(counters.Total, i));
                }
            }
        }));
    }

    [Fact]
    public void Coarse_steps_forget_at_most_one_step_early()
    {
        var counters = new LiveCounters(1, Exact with { MonthStepMs = 50 });
        counters.Add(0, 49);
        counters.AdvanceTo(999);
        Assert.Equal(1, At(counters.Month, 0));
        counters.AdvanceTo(1049);
        Assert.Equal(0, At(counters.Month, 0));
        Assert.Equal(1, At(counters.Total, 0));
    }

    [Fact]
    public void A_late_event_counts_from_now_on_and_one_older_than_the_window_not_at_all()
    {
        var counters = new LiveCounters(4, Exact);
        counters.Add(0, 5000);
        counters.Add(1, 4500);
        counters.Add(2, 3000);
        Assert.Equal(5000, counters.NowMs);
        Assert.Equal([1, 1, 0], counters.Month[..3].ToArray());
        Assert.Equal([1, 0, 0], counters.Day[..3].ToArray());
        counters.AdvanceTo(5999);
        Assert.Equal([1, 1, 0], counters.Month[..3].ToArray());
        counters.AdvanceTo(6000);
        Assert.Equal([0, 0, 0], counters.Month[..3].ToArray());
    }

    [Fact]
    public void Reindexed_counters_go_on_exactly_like_counters_that_always_had_the_new_indices()
    {
        int[] map = [3, -1, 0, 1];
        var random = new Random(7);
        var (old, expected) = (new LiveCounters(4, Exact), new LiveCounters(4, Exact));
        LiveCounters? moved = null;
        long now = 0;
        for (var e = 0; e < 2000; e++)
        {
            now += random.Next(10);
            var item = random.Next(4);
            if (e == 1000)
                moved = old.Reindex(map, 4);
            if (map[item] < 0)
                expected.AdvanceTo(now);
            else
                expected.Add(map[item], now);
            if (moved is null)
                old.Add(item, now);
            else if (map[item] < 0)
                moved.AdvanceTo(now);
            else
                moved.Add(map[item], now);
        }

        Assert.Equal(expected.Month[..4].ToArray(), moved!.Month[..4].ToArray());
        Assert.Equal(expected.Day[..4].ToArray(), moved.Day[..4].ToArray());
        Assert.Equal(expected.Total[..4].ToArray(), moved.Total[..4].ToArray());
    }

    private static int At(ReadOnlySpan<int> counts, int item) => item < counts.Length ? counts[item] : 0;
}
