using System.Diagnostics;
using System.Globalization;
using System.Text;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>
/// <c>streamrec run ingest</c> as a process of its own, on a test's schema, topics and prefix: to be killed, stopped, continued, and asked to end.
/// </summary>
internal sealed class IngestProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _log = new();

    private IngestProcess(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    public bool HasExited => _process.HasExited;

    /// <summary>What it has logged so far.</summary>
    public string Log
    {
        get
        {
            lock (_log)
                return _log.ToString();
        }
    }

    /// <summary>Resident memory in bytes, and the most it ever was.</summary>
    public (long Now, long Peak) Memory
    {
        get
        {
            var status = File.ReadAllLines($"/proc/{_process.Id}/status");
            return (Kilobytes("VmRSS:") * 1024, Kilobytes("VmHWM:") * 1024);

            long Kilobytes(string name) =>
                long.Parse(
                    status.First(l => l.StartsWith(name, StringComparison.Ordinal))
                        .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                    CultureInfo.InvariantCulture);
        }
    }

    /// <param name="h">Whose schema, topics, prefix and group it works on.</param>
    /// <param name="settings">Settings as <c>SECTION__FIELD=value</c>.</param>
    /// <param name="arguments">Further arguments of <c>run ingest</c>.</param>
    public static async Task<IngestProcess> StartAsync(Harness h, IReadOnlyList<string>? settings = null, params string[] arguments)
    {
        string[] own =
        [
            .. h.Settings, "HTTP__URL=http://127.0.0.1:0",
            $"INGEST__GROUPID={h.Options.GroupId}", $"INGEST__SESSIONTIMEOUT={h.Options.SessionTimeout}", "INGEST__MAXBATCHAGE=00:00:00.020",
            .. settings ?? [],
        ];
        return new IngestProcess(await Verb.StartAsync(own, ["run", "ingest", .. arguments]));
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(Harness.Stop);
    }

    /// <summary>SIGTERM; the exit code.</summary>
    public async Task<int> EndAsync()
    {
        await SignalAsync("TERM");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Harness.Stop);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    public async Task SignalAsync(string name)
    {
        using var kill = Process.Start("kill", ["-" + name, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Harness.Stop);
    }

    public Task UntilLogsAsync(string text) => Harness.UntilAsync($"the process says '{text}'", () =>
    {
        Assert.False(_process.HasExited, $"it ended instead of saying '{text}':\n{Log}");
        return Task.FromResult(Log.Contains(text, StringComparison.Ordinal));
    });

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private void Keep(string? line)
    {
        lock (_log)
            _log.AppendLine(line);
    }
}
