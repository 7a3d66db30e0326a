using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace StreamRec.Local;

/// <summary>What one server process is started with.</summary>
/// <param name="Name">Server name; also the name of its log and pid file.</param>
/// <param name="Command">Program and arguments.</param>
/// <param name="WorkingDirectory">Its current folder.</param>
/// <param name="Marker">Text of its command line that no other process has: its data folder.</param>
/// <param name="StopSignal">Signal of a clean stop, sent on dispose and by the kernel when this process dies.</param>
/// <param name="User">User to run as, or null for the own one.</param>
internal sealed record ServerCommand(
    string Name, IReadOnlyList<string> Command, string WorkingDirectory, string Marker, int StopSignal, string? User = null);

/// <summary>
/// A server as a child process in a session of its own, so that Ctrl-C in the terminal reaches only us and we stop the servers in order;
/// output goes to a log file, and the kernel stops the child when we die.
/// </summary>
internal sealed class ServerProcess
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);

    private readonly RunFolder _folder;
    private readonly ServerCommand _command;
    private readonly ILogger _log;
    private readonly Process _process;

    private ServerProcess(RunFolder folder, ServerCommand command, ILogger log, Process process)
    {
        (_folder, _command, _log, _process) = (folder, command, log, process);
    }

    public int Pid => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts the process; returns at once, whether it becomes healthy is the caller's question.</summary>
    public static async Task<ServerProcess> StartAsync(RunFolder folder, ServerCommand command, ILogger log)
    {
        string setsid = Programs.Require(Programs.Find("setsid"), "setsid", "util-linux");
        string setpriv = Programs.Require(Programs.Find("setpriv"), "setpriv", "util-linux");
        var info = new ProcessStartInfo("/bin/sh")
        {
            // All three redirected, or .NET would take the child for an interactive one and change the terminal's mode.
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = command.WorkingDirectory,
        };
        string signal = command.StopSignal == Libc.SigInt ? "INT" : "TERM";
        List<string> arguments =
        [
            "-c", "log=$1; shift; exec \"$@\" </dev/null >>\"$log\" 2>&1", "sh", folder.LogFile(command.Name),
            setsid, setpriv, "--pdeathsig", signal,
        ];
        if (command.User is { } user)
            arguments.AddRange(["--reuid", user, "--regid", user, "--init-groups"]);
        arguments.Add("--");
        arguments.AddRange(command.Command);
        foreach (string argument in arguments)
            info.ArgumentList.Add(argument);

        Process process;
        try
        {
            process = await LaunchThread.StartAsync(info);
        }
        catch (Exception e)
        {
            throw new LocalServerException($"{command.Name} could not be started: {e.Message}", e);
        }

        folder.WritePid(command.Name, ProcessIdentity.Of(process.Id, command.Marker));
        return new ServerProcess(folder, command, log, process);
    }

    /// <summary>Stops it cleanly, kills it after 20 s.</summary>
    public async Task StopAsync()
    {
        if (!_process.HasExited)
        {
            _ = Libc.kill(Pid, _command.StopSignal);
            if (await ExitsWithinAsync(StopTimeout))
            {
                _log.ServerStopped(_command.Name, Pid);
            }
            else
            {
                await KillAsync();
                _log.ServerKilled(_command.Name, Pid, StopTimeout.TotalSeconds);
            }
        }

        _folder.RemovePid(_command.Name);
        _process.Dispose();
    }

    /// <summary>kill -9 of the process and all below it, as a crash of the machine would.</summary>
    public async Task KillAsync()
    {
        List<int> below = ProcessIdentity.Descendants(Pid);
        _ = Libc.kill(Pid, Libc.SigKill);
        foreach (int pid in below)
            _ = Libc.kill(pid, Libc.SigKill);
        await _process.WaitForExitAsync();
    }

    /// <summary>The last lines of its log, for error messages.</summary>
    public string LogTail() => _folder.LogTail(_command.Name);

    private async Task<bool> ExitsWithinAsync(TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
