using StreamRec.Scorer;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class ScorerOptionsTests
{
    private static readonly ScorerOptions Good = new() { BootstrapServers = "localhost:9092" };

    [Fact]
    public void The_defaults_are_valid() => Good.Validate();

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_setting_that_cannot_work_is_refused_by_name_and_value(string name, string value, ScorerOptions options)
    {
        var error = Assert.Throws<ArgumentException>(options.Validate);
        Assert.Contains($"Scorer.{name} is '{value}'", error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, ScorerOptions> Bad() => new()
    {
        { "BootstrapServers", " ", Good with { BootstrapServers = " " } },
        { "ListLength", "0", Good with { ListLength = 0 } },
        { "ListLength", "501", Good with { ListLength = 501 } },
        { "Debounce", "-00:00:01", Good with { Debounce = TimeSpan.FromSeconds(-1) } },
        { "SessionTimeout", "00:00:01", Good with { SessionTimeout = TimeSpan.FromSeconds(1) } },
        { "RepeatShare", "1", Good with { RepeatShare = 1 } },
        { "RecentIdsPerPartition", "0", Good with { RecentIdsPerPartition = 0 } },
    };
}
