using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace StreamRec.Local;

/// <summary>
/// The folder of one set of servers. Its owner holds a lock on <c>owner.lock</c> which the kernel releases when the owner dies, however it
/// dies: a folder whose lock can be taken belongs to a killed run, and the next start ends its processes and removes its data.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    private const string LockName = "owner.lock", KeepName = "keep", ElsewhereName = "elsewhere";
    private readonly FileStream _lock;
    private readonly ILogger _log;

    private RunFolder(string path, FileStream ownerLock, ILogger log)
    {
        (Path, _lock, _log) = (path, ownerLock, log);
    }

    public string Path { get; }

    public bool KeepsData => File.Exists(In(KeepName));

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public string LogFile(string server) => In(server + ".log");

    /// <summary>Takes the folder, cleaning up what a killed run left in it and beside it.</summary>
    public static async Task<RunFolder> OpenAsync(LocalServersOptions options, CancellationToken ct)
    {
        string path = System.IO.Path.GetFullPath(options.Root);
        string parent = System.IO.Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(parent);
        foreach (string sibling in Directory.GetDirectories(parent).Where(d => d != path))
            await CleanAsync(sibling, options.Log, ct);

        Directory.CreateDirectory(path);
        var folder = new RunFolder(path, TryLock(path) ?? throw new LocalServerException(
            $"Servers already run in '{path}' for another process. Stop that one first (./streamrec down), or choose another folder."), options.Log);
        await folder.EndProcessesAsync(ct);
        if (!options.KeepData)
            folder.RemoveData();
        else
            await File.WriteAllTextAsync(folder.In(KeepName), "Data here outlives its servers.\n", ct);
        return folder;
    }

    /// <summary>If the folder belonged to a killed run: ends its processes and, unless it keeps data, removes it.</summary>
    public static async Task CleanAsync(string path, ILogger log, CancellationToken ct)
    {
        if (!File.Exists(System.IO.Path.Combine(path, LockName)))
            return; // Not one of ours.
        if (TryLock(path) is not { } ownerLock)
            return; // Its owner lives.
        using var folder = new RunFolder(path, ownerLock, log);
        await folder.EndProcessesAsync(ct);
        if (folder.KeepsData)
            return;
        folder.Remove();
        log.LeftoverRemoved(path);
    }

    /// <summary>Whether a living process owns the folder.</summary>
    public static bool IsOwned(string path)
    {
        if (!File.Exists(System.IO.Path.Combine(path, LockName)))
            return false;
        using FileStream? ownerLock = TryLock(path);
        return ownerLock is null;
    }

    public void WritePid(string server, ProcessIdentity identity) =>
        File.WriteAllText(In(server + ".pid"), JsonSerializer.Serialize(identity));

    public void RemovePid(string server) => File.Delete(In(server + ".pid"));

    public string LogTail(string server)
    {
        string file = LogFile(server);
        return !File.Exists(file) ? "(no log)" : string.Join('\n', File.ReadLines(file).TakeLast(12));
    }

    /// <summary>A folder outside this one, recorded before it exists so that whatever happens it is removed with this one.</summary>
    public string Elsewhere(string name)
    {
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path)))[..12];
        string other = $"/var/tmp/streamrec-{hash}";
        File.WriteAllText(In(ElsewhereName), other);
        return System.IO.Path.Combine(other, name);
    }

    public void Remove()
    {
        RemoveData();
        Directory.Delete(Path, recursive: true);
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream? TryLock(string path)
    {
        try
        {
            // FileShare.None is flock(LOCK_EX | LOCK_NB) on Unix; children do not inherit the handle.
            return new FileStream(System.IO.Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (DirectoryNotFoundException)
        {
            return null; // Somebody else removed it this moment.
        }
        catch (IOException)
        {
            return null;
        }
    }

    private void RemoveData()
    {
        if (File.Exists(In(ElsewhereName)))
        {
            string other = File.ReadAllText(In(ElsewhereName));
            if (other.StartsWith("/var/tmp/streamrec-", StringComparison.Ordinal) && Directory.Exists(other))
                Directory.Delete(other, recursive: true);
        }

        foreach (string dir in Directory.GetDirectories(Path))
            Directory.Delete(dir, recursive: true);
        foreach (string file in Directory.GetFiles(Path).Where(f => System.IO.Path.GetFileName(f) != LockName))
            File.Delete(file);
    }

    private async Task EndProcessesAsync(CancellationToken ct)
    {
        foreach (string file in Directory.GetFiles(Path, "*.pid"))
        {
            string server = System.IO.Path.GetFileNameWithoutExtension(file);
            if (JsonSerializer.Deserialize<ProcessIdentity>(await File.ReadAllTextAsync(file, ct)) is { } identity)
                await EndAsync(server, identity, ct);
            File.Delete(file);
        }
    }

    private async Task EndAsync(string server, ProcessIdentity identity, CancellationToken ct)
    {
        if (!identity.IsAlive)
            return;
        // Asked first: Postgres then removes its shared memory. SIGINT is a clean stop for all of our servers.
        List<int> below = ProcessIdentity.Descendants(identity.Pid);
        _ = Libc.kill(identity.Pid, Libc.SigInt);
        _ = Libc.kill(identity.Pid, Libc.SigCont); // A stopped process would not act on it.
        if (!await GoneAsync(identity, TimeSpan.FromSeconds(10), ct))
        {
            foreach (int pid in below.Prepend(identity.Pid))
                _ = Libc.kill(pid, Libc.SigKill);
            if (!await GoneAsync(identity, TimeSpan.FromSeconds(5), ct))
            {
                throw new LocalServerException(
                    $"Process {identity.Pid} ({server} of a killed run in '{Path}') cannot be ended by this user. End it, then start again.");
            }
        }

        _log.LeftoverEnded(server, identity.Pid);
    }

    private static async Task<bool> GoneAsync(ProcessIdentity identity, TimeSpan limit, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        long end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (identity.IsAlive)
        {
            if (Environment.TickCount64 > end)
                return false;
            await timer.WaitForNextTickAsync(ct);
        }

        return true;
    }
}
