using StreamRec.Bench;
using Xunit;

namespace StreamRec.Tests.Bench;

public class PeerTests
{
    [Fact]
    public void The_number_is_read_from_the_last_line_of_json()
    {
        var peer = new Peer("""echo warming up; echo '{"tokens_per_s": 1}'; echo '{"tokens_per_s": 1234.5, "threads": 2}'""", "tokens_per_s");
        Assert.Equal(1234.5, peer.Run(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("echo oops >&2; exit 3", "ended with 3", "oops")]
    [InlineData("""echo '{"other": 1}'""", "no JSON with 'tokens_per_s'", "other")]
    [InlineData("echo '{broken'", "no JSON with 'tokens_per_s'", "broken")]
    public void A_command_that_fails_or_says_nothing_is_told_with_its_last_words(string command, string what, string words)
    {
        var error = Assert.Throws<SettingsException>(() => new Peer(command, "tokens_per_s").Run(TestContext.Current.CancellationToken));
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ratio_is_the_median_of_the_rounds_ratios()
    {
        var row = Rounds.Row("x", "1/s", [10, 2, 9], [20, 1, 3], "");
        Assert.Equal((9, 3, 2), (row.Value, row.LimitValue!.Value, row.Ratio!.Value));
        Assert.Equal(1.5, Rounds.Median([2, 1]));
    }
}
