using StreamRec.Demo;
using Xunit;

namespace StreamRec.Tests.Demo;

public class TrainingGateTests
{
    private readonly Clock _clock = new();

    [Fact]
    public void Open_until_a_run_is_due_closed_until_one_has_ended()
    {
        var gate = new TrainingGate(TimeSpan.FromSeconds(10), _clock);

        Assert.False(gate.Closed(99, due: 100, active: false, ended: 0));
        Assert.True(gate.Closed(100, due: 100, active: false, ended: 0));
        Assert.True(gate.Closed(100, due: 200, active: false, ended: 0)); // asked for, the row not seen yet
        Assert.True(gate.Closed(100, due: 200, active: true, ended: 0));
        Assert.False(gate.Closed(100, due: 200, active: false, ended: 1));
        Assert.True(gate.Closed(200, due: 200, active: false, ended: 1));
    }

    [Fact]
    public void A_run_that_never_starts_does_not_hang_the_replay()
    {
        var gate = new TrainingGate(TimeSpan.FromSeconds(10), _clock);

        Assert.True(gate.Closed(100, due: 100, active: false, ended: 0));
        _clock.Now += TimeSpan.FromSeconds(11);
        Assert.False(gate.Closed(100, due: 100, active: false, ended: 0));
        Assert.False(gate.Closed(150, due: 100, active: false, ended: 0));
        Assert.True(gate.Closed(200, due: 200, active: false, ended: 0)); // the next one gets its own patience
    }

    [Fact]
    public void A_long_run_is_waited_for_however_long_it_takes()
    {
        var gate = new TrainingGate(TimeSpan.FromSeconds(10), _clock);

        Assert.True(gate.Closed(100, due: 100, active: true, ended: 0));
        _clock.Now += TimeSpan.FromHours(1);
        Assert.True(gate.Closed(100, due: 200, active: true, ended: 0));
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
