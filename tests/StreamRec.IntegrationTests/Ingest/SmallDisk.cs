using System.Diagnostics;
using Npgsql;
using StreamRec.Local;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>A Postgres tablespace on a memory file system of a few megabytes. Mounting needs root: elsewhere the test is skipped, with that reason.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly string _path;
    private string _tablespace = "";
    private NpgsqlDataSource? _used;

    private SmallDisk(string path) => _path = path;

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        Assert.SkipUnless(Programs.IsRoot, "needs root: a file system of its own is mounted and filled up");
        var path = Path.Combine("/var/tmp", "streamrec-disk-" + Guid.NewGuid().ToString("N")[..8]);
        Directory.CreateDirectory(path); // where user postgres can reach it, unlike a clone in a closed folder
        var (exit, output) = await RunAsync("mount", "-t", "tmpfs", "-o", $"size={megabytes}m,mode=777", "streamrec-test", path);
        if (exit != 0)
            Directory.Delete(path);
        Assert.SkipUnless(exit == 0, $"needs the right to mount, which this container lacks: {output.Trim()}");
        return new SmallDisk(path);
    }

    /// <summary>Puts a schema's tables here: the answer is a data source whose new tables all are.</summary>
    public async Task<NpgsqlDataSource> UseForAsync(NpgsqlDataSource schema, CancellationToken ct)
    {
        var folder = Path.Combine(_path, "tablespace");
        Directory.CreateDirectory(folder);
        await RunAsync("chown", "postgres", folder);
        _tablespace = "small_" + Guid.NewGuid().ToString("N")[..8];
        await using var create = schema.CreateCommand($"create tablespace {_tablespace} location '{folder}'");
        await create.ExecuteNonQueryAsync(ct);
        return _used = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(schema.ConnectionString) { Options = $"-c default_tablespace={_tablespace}" });
    }

    public async Task ResizeAsync(int megabytes)
    {
        var (exit, output) = await RunAsync("mount", "-o", $"remount,size={megabytes}m", _path);
        Assert.True(exit == 0, output);
    }

    /// <summary>Drops the schema's tables and the tablespace too: a server cannot start without the folder of one.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_used is not null)
        {
            await ExecuteAsync("do $$ begin execute 'drop schema ' || quote_ident(current_schema()) || ' cascade'; end $$");
            await ExecuteAsync("checkpoint"); // removes the files of dropped tables
            await ExecuteAsync($"drop tablespace {_tablespace}");
            await _used.DisposeAsync();
        }

        await RunAsync("umount", "-l", _path);
        Directory.Delete(_path);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _used!.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<(int Exit, string Output)> RunAsync(string program, params string[] arguments)
    {
        var info = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            info.ArgumentList.Add(argument);
        using var process = Process.Start(info)!;
        var output = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output);
    }
}
