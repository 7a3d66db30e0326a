using System.CommandLine;
using StreamRec.Commands;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.Tests.Commands;

/// <summary>Options that contradict each other are told before any work: before the file that <c>--against</c> names is missed.</summary>
public sealed class EvalCommandTests
{
    [Fact]
    public async Task Fine_tuning_without_the_channel_it_tunes_is_an_error_that_names_both_options()
    {
        var error = await Assert.ThrowsAsync<SourceException>(() => RunAsync("--fine-tuned", "--channels", "markov, ease"));
        Assert.Contains("--fine-tuned", error.Message, StringComparison.Ordinal);
        Assert.Contains("--channels markov,ease", error.Message, StringComparison.Ordinal);
        Assert.Contains("gnn", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--channels", "gnn,markov")]
    [InlineData]
    public async Task Fine_tuning_with_that_channel_or_with_all_of_them_goes_on(params string[] channels)
    {
        var error = await Assert.ThrowsAsync<SourceException>(() => RunAsync(["--fine-tuned", .. channels]));
        Assert.StartsWith("--against", error.Message, StringComparison.Ordinal);
    }

    private static Task<int> RunAsync(params string[] options)
    {
        string[] arguments =
        [
            "--dataset", "ml-100k", "--data", "no-such-folder",
            "--protocol", "prequential-strict", "--against", "no-such-file.npz",
            .. options,
        ];
        return EvalCommand.Create()
            .Parse(arguments)
            .InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false },
                TestContext.Current.CancellationToken);
    }
}
