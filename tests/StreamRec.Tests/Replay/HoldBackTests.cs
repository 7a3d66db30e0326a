using StreamRec.Replay;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.Tests.Replay;

public class HoldBackTests
{
    private static readonly ReplayOptions Max = new();

    [Fact]
    public void Nothing_outstanding_holds_nothing() => Assert.Equal(Hold.None, HoldBack.Decide(Max, 0, 0, 0, false));

    [Fact]
    public void Too_much_outstanding_holds() => Assert.Equal(Hold.Lag, HoldBack.Decide(Max, Max.MaxOutstanding, 100, 100, false));

    [Fact]
    public void A_full_partition_holds_whether_by_messages_or_bytes()
    {
        Assert.Equal(Hold.PartitionFull, HoldBack.Decide(Max, 0, Max.MaxPartitionMessages, 0, false));
        Assert.Equal(Hold.PartitionFull, HoldBack.Decide(Max, 0, 0, Max.MaxPartitionBytes, false));
    }

    [Fact]
    public void Training_holds_at_full_speed_only()
    {
        Assert.Equal(Hold.Training, HoldBack.Decide(Max, 0, 0, 0, true));
        Assert.Equal(Hold.None, HoldBack.Decide(Max with { Speed = 500 }, 0, 0, 0, true));
    }

    [Fact]
    public void A_message_is_done_when_every_group_has_taken_it()
    {
        var backlog = new Backlog(2);
        for (var i = 0; i < 10; i++)
            backlog.Sent();
        for (var i = 0; i < 10; i++)
            backlog.Delivered(i % 2, 100 + (i / 2), 50);

        backlog.Taken(0, 0, 105);
        backlog.Taken(0, 1, 105);
        Assert.Equal(10, backlog.Outstanding);
        Assert.Equal(0, backlog.Lag(0));
        Assert.Equal(10, backlog.Lag(1));

        backlog.Taken(1, 0, 102);
        Assert.Equal(8, backlog.Outstanding);
        Assert.Equal((5, 250), backlog.Fullest());

        backlog.Taken(1, 0, 101); // a stale answer
        backlog.Taken(1, 1, 105);
        backlog.Taken(1, 0, 105);
        Assert.Equal(0, backlog.Outstanding);
        Assert.Equal((0, 0), backlog.Fullest());
    }

    [Fact]
    public void Without_followers_delivery_is_enough_and_a_message_in_flight_counts()
    {
        var backlog = new Backlog(0);
        backlog.Sent();
        backlog.Sent();
        Assert.Equal(2, backlog.Outstanding);

        backlog.Delivered(0, 0, 10);
        backlog.Failed();
        Assert.Equal(0, backlog.Outstanding);
    }

    [Fact]
    public void Speeds_are_max_or_positive()
    {
        Assert.Null(ReplayOptions.ParseSpeed("max"));
        Assert.Equal(250, ReplayOptions.ParseSpeed("250"));
        Assert.Contains("'fast'", Assert.Throws<SourceException>(() => ReplayOptions.ParseSpeed("fast")).Message, StringComparison.Ordinal);
        Assert.Throws<SourceException>(() => ReplayOptions.ParseSpeed("0"));
    }
}
