using System.Diagnostics;

namespace StreamRec.Local;

/// <summary>Finds the programs of the distribution and runs short ones.</summary>
public static class Programs
{
    /// <summary>Whether this process is root: Postgres refuses to run as root, so it is run as user postgres then.</summary>
    public static bool IsRoot { get; } = Libc.geteuid() == 0;

    /// <summary>Full path of a program on PATH (and /usr/sbin, /sbin), or null.</summary>
    public static string? Find(string name)
    {
        string path = (Environment.GetEnvironmentVariable("PATH") ?? "") + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
        return path.Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(dir => Path.Combine(dir, name)).FirstOrDefault(File.Exists);
    }

    /// <summary>Full path of a Postgres program: the newest under /usr/lib/postgresql, else on PATH, else null.</summary>
    public static string? FindPostgres(string name)
    {
        const string debian = "/usr/lib/postgresql";
        string? newest = !Directory.Exists(debian) ? null : Directory.GetDirectories(debian)
            .OrderByDescending(d => double.TryParse(Path.GetFileName(d), out double v) ? v : 0)
            .Select(d => Path.Combine(d, "bin", name)).FirstOrDefault(File.Exists);
        return newest ?? Find(name);
    }

    /// <summary>The Java runtime: JAVA_HOME's, else the one on PATH, else null.</summary>
    public static string? FindJava()
    {
        string? home = Environment.GetEnvironmentVariable("JAVA_HOME");
        string? own = string.IsNullOrEmpty(home) ? null : Path.Combine(home, "bin", "java");
        return own is not null && File.Exists(own) ? own : Find("java");
    }

    internal static string Require(string? found, string program, string package) => found
        ?? throw new LocalServerException($"The program '{program}' is missing. Install it: apt-get install -y {package}");

    /// <summary>Runs a program to its end; returns exit code and both outputs. The program is killed when <paramref name="ct"/> fires.</summary>
    internal static async Task<(int Exit, string Output)> RunAsync(
        IReadOnlyList<string> command, string? workingDirectory, CancellationToken ct)
    {
        var info = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? "/",
        };
        foreach (string argument in command.Skip(1))
            info.ArgumentList.Add(argument);
        using Process process = Process.Start(info)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(ct), error = process.StandardError.ReadToEndAsync(ct);
        try
        {
            await process.WaitForExitAsync(ct);
            return (process.ExitCode, (await output + await error).Trim());
        }
        catch (OperationCanceledException)
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
