using System.Diagnostics;

namespace StreamRec.Local;

/// <summary>A process that outlives this one, such as the owner of the servers of <c>streamrec up</c>.</summary>
public static class DetachedProcess
{
    /// <summary>Starts it in a session of its own with its output in a file (appended); returns at once.</summary>
    public static Process Start(IReadOnlyList<string> command, string logFile)
    {
        string setsid = Programs.Require(Programs.Find("setsid"), "setsid", "util-linux");
        var info = new ProcessStartInfo("/bin/sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in (string[])["-c", "log=$1; shift; exec \"$@\" </dev/null >>\"$log\" 2>&1", "sh", logFile, setsid, .. command])
            info.ArgumentList.Add(argument);
        return Process.Start(info)!;
    }

    /// <summary>Asks the process to end (SIGTERM) and waits; false if it still runs after <paramref name="limit"/>.</summary>
    /// <param name="pid">Its id.</param>
    /// <param name="marker">A part of its command line, so that a stranger with a reused id is never touched.</param>
    /// <param name="limit">How long to wait.</param>
    /// <param name="ct">Ends the wait, not the process.</param>
    /// <exception cref="LocalServerException">The process may not be signalled by this user.</exception>
    public static async Task<bool> EndAsync(int pid, string marker, TimeSpan limit, CancellationToken ct)
    {
        ProcessIdentity identity = ProcessIdentity.Of(pid, marker);
        if (!identity.IsAlive)
            return true;
        if (Libc.kill(pid, Libc.SigTerm) != 0 && identity.IsAlive)
            throw new LocalServerException($"Process {pid} belongs to another user: stop it as that user.");
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        long start = Stopwatch.GetTimestamp();
        while (identity.IsAlive)
        {
            if (Stopwatch.GetElapsedTime(start) > limit)
                return false;
            await timer.WaitForNextTickAsync(ct);
        }

        return true;
    }
}
