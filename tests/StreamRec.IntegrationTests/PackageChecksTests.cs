using System.Diagnostics;
using StreamRec.Local;
using Xunit;

namespace StreamRec.IntegrationTests;

/// <summary>src/ compiles against the genuine packages also where this build uses what infra/feed puts in their place.</summary>
public sealed class PackageChecksTests
{
    [Theory]
    [InlineData("redis")]
    [InlineData("torch")]
    public async Task Sources_compile_against_every_version_they_claim(string package)
    {
        (int exit, string output) = await RunAsync(package);

        Assert.True(exit == 0, output);
        Assert.SkipUnless(output.Contains("ok: ", StringComparison.Ordinal), output.Trim());
    }

    private static async Task<(int Exit, string Output)> RunAsync(string package)
    {
        var info = new ProcessStartInfo(Path.Combine(LocalPaths.Root, "infra", "feed", "check-packages")) { RedirectStandardOutput = true };
        info.ArgumentList.Add(package);
        using Process process = Process.Start(info)!;
        try
        {
            string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (process.ExitCode, output);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
