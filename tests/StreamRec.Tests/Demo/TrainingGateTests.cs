using StreamRec.Demo;
using Xunit;

namespace StreamRec.Tests.Demo;

public class TrainingGateTests
{
    private readonly Clock _clock = new();

    [Fact]
    public void Open_until_a_run_is_due_closed_until_it_has_ended()
    {
        var gate = new TrainingGate(TimeSpan.FromSeconds(10), _clock);

        Assert.False(gate.Closed(99, 100, false));
        Assert.True(gate.Closed(100, 100, false)); // due
        Assert.True(gate.Closed(100, 200, true)); // running
        Assert.False(gate.Closed(100, 200, false)); // ended
    }

    [Fact]
    public void A_run_that_never_starts_does_not_hang_the_replay()
    {
        var gate = new TrainingGate(TimeSpan.FromSeconds(10), _clock);

        Assert.True(gate.Closed(100, 100, false));
        _clock.Now += TimeSpan.FromSeconds(11);
        Assert.False(gate.Closed(100, 100, false));
        Assert.False(gate.Closed(150, 100, false));
        Assert.True(gate.Closed(200, 200, false)); // the next one gets its own patience
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
