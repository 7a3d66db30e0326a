using StreamRec.Scorer;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class DirtyUsersTests
{
    private static readonly TimeSpan Debounce = TimeSpan.FromMilliseconds(200);
    private readonly ManualTime _time = new();
    private readonly OffsetTracker _partition0 = new();
    private readonly OffsetTracker _partition1 = new();
    private readonly DirtyUsers _dirty;

    public DirtyUsersTests() => _dirty = new DirtyUsers(Debounce, _time);

    [Fact]
    public void A_user_is_due_when_the_window_since_the_first_event_is_over()
    {
        _dirty.Add(Dirty(7, eventMs: 1000));
        _time.Advance(TimeSpan.FromMilliseconds(150));
        _dirty.Extend(7, 1000, Cause(offset: 9));
        Assert.False(_dirty.TryTakeDue(out _));
        Assert.Equal(TimeSpan.FromMilliseconds(50), _dirty.UntilDue(TimeSpan.FromSeconds(1)));

        _time.Advance(TimeSpan.FromMilliseconds(50));
        Assert.Equal(TimeSpan.Zero, _dirty.UntilDue(TimeSpan.FromSeconds(1)));
        Assert.True(_dirty.TryTakeDue(out var due));
        Assert.Equal(7, due.User);
        Assert.Equal(9, due.Cause.Offset);
        Assert.Equal(0, _dirty.Count);
        Assert.False(_dirty.TryTakeDue(out _));
    }

    [Fact]
    public void An_event_of_a_later_moment_wants_the_list_before_it_and_one_of_the_same_moment_does_not()
    {
        _dirty.Add(Dirty(7, eventMs: 1000));
        Assert.False(_dirty.MustFlushBefore(7, 1000, _partition0, out _));
        Assert.False(_dirty.MustFlushBefore(7, 999, _partition0, out _));
        Assert.True(_dirty.MustFlushBefore(7, 1001, _partition0, out var dirty));
        Assert.Equal(1000, dirty.NewestEventMs);
        Assert.False(_dirty.MustFlushBefore(8, 1001, _partition0, out _));
    }

    [Fact]
    public void An_event_from_another_partition_wants_the_list_before_it()
    {
        _dirty.Add(Dirty(7, eventMs: 1000));
        Assert.True(_dirty.MustFlushBefore(7, 1000, _partition1, out _));
    }

    [Fact]
    public void An_older_event_does_not_move_the_newest_time_back()
    {
        _dirty.Add(Dirty(7, eventMs: 1000));
        _dirty.Extend(7, 400, Cause(offset: 2));
        Assert.False(_dirty.MustFlushBefore(7, 900, _partition0, out _));
    }

    [Fact]
    public void A_list_produced_early_does_not_shorten_the_next_window()
    {
        _dirty.Add(Dirty(7, eventMs: 1000));
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.True(_dirty.Remove(7, out _));
        _dirty.Add(Dirty(7, eventMs: 2000));
        _time.Advance(TimeSpan.FromMilliseconds(150)); // 250 ms after the first window opened, 150 ms after the second
        Assert.False(_dirty.TryTakeDue(out _));
        _time.Advance(TimeSpan.FromMilliseconds(50));
        Assert.True(_dirty.TryTakeDue(out var due));
        Assert.Equal(2000, due.NewestEventMs);
    }

    [Fact]
    public void Users_come_out_in_the_order_they_became_dirty()
    {
        foreach (var user in new[] { 5, 3, 9 })
            _dirty.Add(Dirty(user, 1000));
        _time.Advance(Debounce);
        var order = new List<int>();
        while (_dirty.TryTakeDue(out var due))
            order.Add(due.User);
        Assert.Equal([5, 3, 9], order);
    }

    [Fact]
    public void Users_of_a_partition_that_went_away_are_forgotten()
    {
        _dirty.Add(Dirty(1, 1000));
        _dirty.Add(Dirty(2, 1000) with { Tracker = _partition1 });
        _dirty.Forget(_partition0);
        Assert.True(_dirty.TryTakeAny(out var left));
        Assert.Equal(2, left.User);
        Assert.False(_dirty.TryTakeAny(out _));
    }

    private DirtyUser Dirty(int user, long eventMs) => new(user, eventMs, Cause(offset: 1), _partition0, 0);

    private static Cause Cause(long offset) => new("interactions.v1", 0, offset, 0, null);
}
