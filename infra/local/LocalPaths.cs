namespace StreamRec.Local;

/// <summary>Where a clone keeps what it makes: everything is under <c>.streamrec/</c>, nothing elsewhere.</summary>
public static class LocalPaths
{
    /// <summary>
    /// The clone's root: STREAMREC_ROOT (set by the launcher), else the nearest folder above the program that holds StreamRec.sln,
    /// else the current folder.
    /// </summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The folder that holds one folder per set of servers.</summary>
    public static string RunFolder => Path.Combine(Root, ".streamrec", "run");

    /// <summary>A folder for a new set of servers of this process, e.g. <c>.streamrec/run/test-4711-1</c>.</summary>
    /// <param name="name">What the servers are for: demo, test, bench.</param>
    public static string NewRunFolder(string name) =>
        Path.Combine(RunFolder, $"{name}-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}");

    private static int _count;

    private static string FindRoot()
    {
        string? given = Environment.GetEnvironmentVariable("STREAMREC_ROOT");
        if (!string.IsNullOrEmpty(given))
            return Path.GetFullPath(given);
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
        {
            if (File.Exists(Path.Combine(d.FullName, "StreamRec.sln")))
                return d.FullName;
        }

        return Environment.CurrentDirectory;
    }
}
