using Xunit;

namespace StreamRec.Tests.Sources;

/// <summary>Where the real data sets lie, if this machine has them beside the clone. They may not be shipped.</summary>
internal static class SharedData
{
    public static string Folder(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "StreamRec.sln")))
                continue;
            var data = Path.Combine(folder.FullName, "..", "shared", "data", name);
            Assert.SkipUnless(Directory.Exists(data), $"../shared/data/{name} is not on this machine");
            return data;
        }

        throw new InvalidOperationException($"no StreamRec.sln above {AppContext.BaseDirectory}");
    }
}
