using StreamRec.Control;
using Xunit;

namespace StreamRec.Tests.Control;

public sealed class TriggerTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Volume_fires_once_per_crossing_and_counts_on_from_there()
    {
        var trigger = new VolumeTrigger(100);
        Assert.False(trigger.ShouldTrain(99));
        Assert.True(trigger.ShouldTrain(130));
        Assert.False(trigger.ShouldTrain(130));
        Assert.Equal(230, trigger.DueAt);
        Assert.False(trigger.ShouldTrain(229));
        Assert.True(trigger.ShouldTrain(230));
    }

    [Fact]
    public void Volume_counts_from_where_the_champion_was_trained()
    {
        var trigger = new VolumeTrigger(100, trainedAt: 950);
        Assert.False(trigger.ShouldTrain(1_000));
        Assert.True(trigger.ShouldTrain(1_050));
    }

    [Fact]
    public void Zero_switches_a_trigger_off()
    {
        Assert.False(new VolumeTrigger(0).ShouldTrain(long.MaxValue - 1));
        Assert.False(new IntervalTrigger(TimeSpan.Zero, Start).ShouldTrain(Start.AddYears(100)));
    }

    [Fact]
    public void A_missed_interval_is_made_up_once()
    {
        var trigger = new IntervalTrigger(TimeSpan.FromHours(1), Start);
        Assert.False(trigger.ShouldTrain(Start.AddMinutes(59)));
        Assert.True(trigger.ShouldTrain(Start.AddHours(5)));
        Assert.False(trigger.ShouldTrain(Start.AddHours(5.9)));
        Assert.True(trigger.ShouldTrain(Start.AddHours(6)));
    }
}
