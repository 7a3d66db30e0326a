using System.Diagnostics;
using StreamRec.Local;
using Xunit;

namespace StreamRec.IntegrationTests;

/// <summary>The program as a process of its own that ends with the tests at the latest.</summary>
internal static class Verb
{
    /// <param name="settings">As <c>SECTION__FIELD=value</c>.</param>
    /// <param name="arguments">The verb and what belongs to it.</param>
    public static Task<Process> StartAsync(IEnumerable<string> settings, params string[] arguments)
    {
        var info = new ProcessStartInfo("setpriv")
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath(),
        };
        string[] command = ["--pdeathsig", "KILL", "--", "dotnet", Path.Combine(AppContext.BaseDirectory, "streamrec.dll"), .. arguments];
        foreach (var argument in command)
            info.ArgumentList.Add(argument);
        foreach (var setting in settings)
        {
            info.Environment["STREAMREC__" + setting[..setting.IndexOf('=', StringComparison.Ordinal)]] =
                setting[(setting.IndexOf('=', StringComparison.Ordinal) + 1)..];
        }
        return LaunchThread.StartAsync(info);
    }

    /// <summary>Runs a verb to its end, which must be a good one; what it wrote on standard output.</summary>
    public static async Task<string> RunAsync(IEnumerable<string> settings, params string[] arguments)
    {
        var ct = TestContext.Current.CancellationToken;
        using var process = await StartAsync(settings, arguments);
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(ct), process.StandardError.ReadToEndAsync(ct));
        await process.WaitForExitAsync(ct);
        Assert.True(process.ExitCode == 0, $"streamrec {string.Join(' ', arguments)} ended with {process.ExitCode}: {await errors}");
        return await output;
    }
}
