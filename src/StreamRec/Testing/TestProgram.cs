using System.Diagnostics;
using System.Globalization;
using System.Xml.Linq;
using StreamRec.Local;

namespace StreamRec.Testing;

/// <summary>One built test assembly; xunit.v3 assemblies are programs that run themselves.</summary>
internal sealed class TestProgram
{
    // Cheap ones first, so that a plain mistake shows within seconds.
    private static readonly string[] Order = ["StreamRec.Tests", "StreamRec.TrainerTests", "StreamRec.IntegrationTests", "StreamRec.ConsoleTests"];

    private readonly string _assembly;

    private TestProgram(string assembly) => _assembly = assembly;

    private string Name => Path.GetFileNameWithoutExtension(_assembly);

    /// <summary>The test programs of the clone that are built.</summary>
    public static IReadOnlyList<TestProgram> FindAll(string root)
    {
        string tests = Path.Combine(root, "tests");
        if (!Directory.Exists(tests))
            return [];
        return [.. Directory.GetDirectories(tests)
            .Select(d => Path.Combine(d, "bin", "Release", "net10.0", Path.GetFileName(d) + ".dll"))
            .Where(File.Exists)
            .OrderBy(file => Array.IndexOf(Order, Path.GetFileNameWithoutExtension(file)) is >= 0 and var at ? at : Order.Length)
            .ThenBy(file => file, StringComparer.Ordinal)
            .Select(file => new TestProgram(file))];
    }

    /// <summary>Runs it, prints failures as they come, then each skip with its reason and the counts.</summary>
    public async Task<TestCounts> RunAsync(string? filter, LocalServers servers, TimeSpan limit, CancellationToken ct)
    {
        string results = Path.Combine(LocalPaths.Root, ".streamrec", "test-results", Name + ".xml");
        Directory.CreateDirectory(Path.GetDirectoryName(results)!);
        File.Delete(results);
        System.Console.WriteLine($"{Name} ...");
        long start = Stopwatch.GetTimestamp();
        string? trouble = await RunProcessAsync(Arguments(filter, results), servers, limit, ct);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        TestCounts counts = default;
        if (File.Exists(results))
        {
            XDocument document = XDocument.Load(results);
            counts = TestCounts.Read(document);
            foreach ((string name, string reason) in TestCounts.Skips(document))
                System.Console.WriteLine($"  skipped: {name}: {reason}");
        }
        else
        {
            trouble ??= "it ended without writing results";
        }

        if (trouble is not null)
        {
            System.Console.WriteLine($"  {Name} did not finish: {trouble}");
            counts += new TestCounts(0, 1, 0);
        }

        System.Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Name}: {counts} in {seconds:F0} s"));
        return counts;
    }

    private List<string> Arguments(string? filter, string results)
    {
        List<string> arguments = [_assembly, "-noLogo", "-noColor", "-reporter", "quiet", "-xml", results];
        if (string.IsNullOrEmpty(filter))
            return arguments;
        if (filter.StartsWith('/'))
            arguments.AddRange(["-filter", filter]);
        else if (filter.Contains('=', StringComparison.Ordinal))
            arguments.AddRange(["-trait", filter]);
        else
            arguments.AddRange(["-method", $"*{filter.Trim('*')}*"]);
        return arguments;
    }

    /// <summary>Null when the program ran to its end, failed tests or not; else what went wrong.</summary>
    private async Task<string?> RunProcessAsync(List<string> arguments, LocalServers servers, TimeSpan limit, CancellationToken ct)
    {
        var info = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetDirectoryName(_assembly)!,
        };
        foreach (string argument in arguments)
            info.ArgumentList.Add(argument);
        info.Environment["STREAMREC_TEST_PG"] = servers.PostgresConnectionString;
        info.Environment["STREAMREC_TEST_REDIS"] = servers.RedisConnectionString;
        if (servers.KafkaIsReal)
        {
            // Topics of the in-process broker can be made in its own process only: without these the tests start one for themselves.
            info.Environment["STREAMREC_TEST_KAFKA"] = servers.KafkaBootstrap;
            info.Environment["STREAMREC_TEST_REAL_KAFKA"] = "1";
        }

        using var process = new Process { StartInfo = info };
        process.OutputDataReceived += (_, line) => Print(line.Data);
        process.ErrorDataReceived += (_, line) => Print(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(limit);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            ct.ThrowIfCancellationRequested();
            return $"stopped after {limit.TotalMinutes:F0} minutes (--timeout-minutes)";
        }

        // 0: all passed, 1: some failed; anything else is a crash or a refusal to start.
        return process.ExitCode is 0 or 1 ? null : $"exit code {process.ExitCode}";
    }

    private static void Print(string? line)
    {
        if (!string.IsNullOrWhiteSpace(line))
            System.Console.WriteLine("  " + line);
    }
}
