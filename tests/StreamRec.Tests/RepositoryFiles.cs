namespace StreamRec.Tests;

/// <summary>The repository the tests run in, found by walking up to the solution file.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    public static IEnumerable<string> Sources(params string[] folders) =>
        from folder in folders
        from file in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        where !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal)
        select file;

    /// <summary>The optional folder of real data and golden vectors beside the clone; null where there is none.</summary>
    public static string? Shared { get; } = Path.Combine(Path.GetDirectoryName(Root)!, "shared") is var path && Directory.Exists(path) ? path : null;

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "StreamRec.sln")))
                return at.FullName;
        }

        throw new InvalidOperationException($"no StreamRec.sln above {AppContext.BaseDirectory}");
    }
}
