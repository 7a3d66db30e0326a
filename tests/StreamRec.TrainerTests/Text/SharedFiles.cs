namespace StreamRec.TrainerTests.Text;

/// <summary>Reference files that may not be part of the repository: an optional sibling folder named shared.</summary>
internal static class SharedFiles
{
    /// <summary>The path below ../shared of the repository; skips the test, saying why, where it is absent.</summary>
    public static string OrSkip(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "StreamRec.sln")))
                continue;
            var full = Path.Combine(folder.Parent?.FullName ?? "/", "shared", path);
            Assert.SkipUnless(Path.Exists(full), $"../shared/{path} is not there; the reference files are third-party and not part of the repository");
            return full;
        }

        throw new DirectoryNotFoundException($"no StreamRec.sln above {AppContext.BaseDirectory}");
    }
}
