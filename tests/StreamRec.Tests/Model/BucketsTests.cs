using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class BucketsTests
{
    [Theory]
    [InlineData(-5, 1)]
    [InlineData(0, 1)]
    [InlineData(999, 1)]
    [InlineData(1000, 2)]
    [InlineData(2999, 2)]
    [InlineData(3000, 3)]
    [InlineData(59_000, 6)]
    [InlineData(3_600_000, 12)]
    [InlineData(86_400_000, 17)]
    [InlineData(long.MaxValue, 31)]
    public void Time_rows_are_powers_of_two_of_seconds(long ms, int row) => Assert.Equal(row, Buckets.Time(ms));

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(-3f, 1)]
    [InlineData(0.4f, 1)]
    [InlineData(1f, 2)]
    [InlineData(4.6f, 6)]
    [InlineData(10f, 11)]
    [InlineData(1e30f, 11)]
    [InlineData(float.PositiveInfinity, 11)]
    public void Value_rows_are_rounded_values(float value, int row) => Assert.Equal(row, Buckets.Value(value));

    [Fact]
    public void A_sequence_keeps_the_newest_known_items_and_times_its_kept_neighbours()
    {
        UserEvent[] history = [new(1, 1, 1, 0), new(2, 2, 2, 1000), new(99, 1, 1, 2000), new(3, 3, float.NaN, 4000), new(4, 4, 3, 4000)];
        var rows = new UserSequence.Row[3];
        var source = new int[3];
        Assert.Equal(3, UserSequence.Fill(history, 11_000, 10, rows, source));
        Assert.Equal([1, 3, 4], source);
        Assert.Equal(new UserSequence.Row(2, 2, 3, 0, 3), rows[0]);
        Assert.Equal(new UserSequence.Row(3, 3, 0, 3, 1), rows[1]);
        Assert.Equal(new UserSequence.Row(4, 4, 4, 1, 4), rows[2]);
    }
}
