using System.Text.Json;
using StreamRec.Local;

namespace StreamRec;

/// <summary>
/// Addresses of the servers that <c>up</c> or a running <c>demo</c> started in this clone, so that the other verbs find them without a setting.
/// Written when they are ready, removed when they stop.
/// </summary>
public sealed record RunningServers(int OwnerPid, string KafkaBootstrap, string KafkaKind, string PostgresConnectionString, string RedisConnectionString)
{
    private static string FilePath => Path.Combine(LocalPaths.RunFolder, "servers.json");

    /// <summary>The servers running now; null when there are none, or when their owner is gone.</summary>
    public static RunningServers? Find()
    {
        if (!File.Exists(FilePath))
            return null;
        var found = JsonSerializer.Deserialize<RunningServers>(File.ReadAllBytes(FilePath));
        return found is not null && Directory.Exists($"/proc/{found.OwnerPid}") ? found : null;
    }

    /// <summary>Makes the servers findable until the result is disposed.</summary>
    public static IDisposable Announce(LocalServers servers)
    {
        Directory.CreateDirectory(LocalPaths.RunFolder);
        var record = new RunningServers(
            Environment.ProcessId, servers.KafkaBootstrap, servers.KafkaKind, servers.PostgresConnectionString, servers.RedisConnectionString);
        var half = FilePath + ".new";
        File.WriteAllBytes(half, JsonSerializer.SerializeToUtf8Bytes(record));
        File.Move(half, FilePath, overwrite: true);
        return new Announcement();
    }

    private sealed class Announcement : IDisposable
    {
        public void Dispose() => File.Delete(FilePath);
    }
}
