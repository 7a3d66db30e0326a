using System.Diagnostics;
using System.Globalization;
using StreamRec.Contracts;
using StreamRec.Local;

namespace StreamRec.Bench;

/// <summary>
/// <c>streamrec run ingest</c> as a child process with its resident memory
/// watched. Killed on dispose: what it has committed is all that counts.
/// </summary>
internal sealed class WatchedIngest : IAsyncDisposable
{
    private readonly ProcessStartInfo _info;
    private Process? _process;

    public WatchedIngest(LocalServers servers, string postgres, Topics topics, string name)
    {
        var self = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? typeof(WatchedIngest).Assembly.Location : null;
        _info = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = servers.Root,
        };
        foreach (var argument in (string[])[.. self is null ? Array.Empty<string>() : [self], "run", "ingest"])
            _info.ArgumentList.Add(argument);
        string[] settings =
        [
            "POSTGRES__CONNECTIONSTRING", postgres, "REDIS__CONNECTIONSTRING", servers.RedisConnectionString, "REDIS__KEYPREFIX", name + ":",
            "KAFKA__BOOTSTRAPSERVERS", servers.KafkaBootstrap, "KAFKA__TOPICPREFIX", topics.Prefix, "INGEST__GROUPID", name, "HTTP__URL", "http://127.0.0.1:0",
        ];
        for (var i = 0; i < settings.Length; i += 2)
            _info.Environment[SettingsReader.EnvironmentPrefix + settings[i]] = settings[i + 1];
    }

    /// <summary>Most resident memory seen, bytes.</summary>
    public long Peak { get; private set; }

    public void Start()
    {
        _process = Process.Start(_info)!;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Reads the kernel's own high-water mark.</summary>
    /// <exception cref="InvalidOperationException">The process has ended.</exception>
    public void Look()
    {
        if (_process!.HasExited)
            throw new InvalidOperationException($"'streamrec run ingest' ended with exit code {_process.ExitCode} in the middle of the measurement");
        var line = File.ReadLines($"/proc/{_process.Id}/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        if (line is not null)
            Peak = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
