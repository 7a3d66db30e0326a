using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace StreamRec.Local;

/// <summary>
/// A private Postgres: own data folder, 127.0.0.1 only, no Unix socket, role and database <c>streamrec</c>. Durable as shipped
/// (fsync and synchronous_commit on). Runs as user postgres where we are root, because Postgres refuses to run as root.
/// </summary>
internal sealed class PostgresServer
{
    private const string Name = "postgres", RootUser = "postgres";
    private readonly RunFolder _folder;
    private readonly LocalServersOptions _options;
    private readonly ServerCommand _command;
    private ServerProcess _process;

    private PostgresServer(RunFolder folder, LocalServersOptions options, ServerCommand command, ServerProcess process, string connection)
    {
        (_folder, _options, _command, _process, ConnectionString) = (folder, options, command, process, connection);
    }

    /// <summary>In Npgsql's form.</summary>
    public string ConnectionString { get; }

    public static async Task<PostgresServer> StartAsync(RunFolder folder, LocalServersOptions options, CancellationToken ct)
    {
        string initdb = Programs.Require(Programs.FindPostgres("initdb"), "initdb", "postgresql");
        string postgres = Programs.Require(Programs.FindPostgres("postgres"), "postgres", "postgresql");
        string data = await DataFolderAsync(folder, options, ct);
        bool fresh = !File.Exists(Path.Combine(data, "PG_VERSION"));
        if (fresh)
            await InitAsync(initdb, data, ct);
        return await Health.OnFreePortAsync(
            port => StartOnPortAsync(folder, options, postgres, data, port, fresh, ct),
            port => options.Log.PortTaken(port, Name));
    }

    /// <summary>kill -9 of the server and all its backends.</summary>
    public Task KillAsync() => _process.KillAsync();

    /// <summary>Starts it again on the same port and data; returns when it has recovered and answers.</summary>
    public async Task RestartAsync(CancellationToken ct)
    {
        if (!_process.HasExited)
            await _process.StopAsync();
        _process = await ServerProcess.StartAsync(_folder, _command, _options.Log);
        await Health.WaitAsync("Postgres restarts", _process, _options.StartTimeout, token => AskAsync(ConnectionString, token), ct);
    }

    public async Task StopAsync()
    {
        bool killed = _process.HasExited;
        await _process.StopAsync();
        if (killed)
            await RemoveSharedMemoryAsync(_command.WorkingDirectory);
    }

    private static async Task<PostgresServer> StartOnPortAsync(
        RunFolder folder, LocalServersOptions options, string postgres, string data, int port, bool fresh, CancellationToken ct)
    {
        long start = Stopwatch.GetTimestamp();
        List<string> arguments = [postgres, "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture)];
        foreach ((string key, string value) in Settings(options))
            arguments.AddRange(["-c", $"{key}={value}"]);
        var command = new ServerCommand(Name, arguments, data, data, Libc.SigInt, Programs.IsRoot ? RootUser : null);
        options.Log.ServerStarts("Postgres", port, postgres);
        ServerProcess process = await ServerProcess.StartAsync(folder, command, options.Log);
        string connection = $"Host=127.0.0.1;Port={port};Username=streamrec;Database=streamrec";
        try
        {
            // The role's own database does not exist after initdb; the server is asked through the one that does.
            string first = $"Host=127.0.0.1;Port={port};Username=streamrec;Database=postgres;Pooling=false";
            await Health.WaitAsync("Postgres starts", process, options.StartTimeout, token => AskAsync(first, token), ct);
            if (fresh)
                await ExecuteAsync(first, "CREATE DATABASE streamrec", ct);
        }
        catch
        {
            await process.StopAsync();
            throw;
        }

        options.Log.ServerReady("Postgres", $"127.0.0.1:{port}", Stopwatch.GetElapsedTime(start).TotalSeconds);
        return new PostgresServer(folder, options, command, process, connection);
    }

    private static Dictionary<string, string> Settings(LocalServersOptions options)
    {
        var settings = new Dictionary<string, string>
        {
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = "",
            // Dynamic shared memory as files of the data folder: after kill -9 nothing stays in /dev/shm, which is also tiny in containers.
            ["dynamic_shared_memory_type"] = "mmap",
            ["max_connections"] = "200",
            ["shared_buffers"] = "256MB",
            ["work_mem"] = "16MB",
            ["maintenance_work_mem"] = "128MB",
            ["effective_cache_size"] = "1GB",
            ["random_page_cost"] = "1.1",
            ["jit"] = "off",
            // One machine, no replicas: only what crash recovery needs is written.
            ["wal_level"] = "minimal",
            ["max_wal_senders"] = "0",
            ["wal_compression"] = "lz4",
            ["max_wal_size"] = "4GB",
            ["checkpoint_timeout"] = "10min",
            ["log_min_messages"] = "warning",
            ["timezone"] = "UTC",
        };
        foreach ((string key, string value) in options.PostgresSettings)
            settings[key] = value;
        return settings;
    }

    private static async Task InitAsync(string initdb, string data, CancellationToken ct)
    {
        // Loopback and trust: only this machine's users reach it, as with any development server.
        string[] command =
        [
            .. AsServerUser(), initdb, "-D", data, "-U", "streamrec", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync",
        ];
        (int exit, string output) = await Programs.RunAsync(command, data, ct);
        if (exit != 0)
            throw new LocalServerException($"initdb failed for '{data}' (exit code {exit}):\n{output}");
    }

    private static string[] AsServerUser() => !Programs.IsRoot ? [] :
        [Programs.Require(Programs.Find("setpriv"), "setpriv", "util-linux"), "--reuid", RootUser, "--regid", RootUser, "--init-groups", "--"];

    /// <summary>
    /// A folder that the server's user owns and can reach. As root with a clone below a closed folder (such as /root) user postgres
    /// cannot get there: then it is under /var/tmp and removed when the server stops.
    /// </summary>
    private static async Task<string> DataFolderAsync(RunFolder folder, LocalServersOptions options, CancellationToken ct)
    {
        string data = folder.In("postgres-data");
        if (!Programs.IsRoot)
        {
            Directory.CreateDirectory(data); // initdb closes it to others.
            return data;
        }

        (int known, _) = await Programs.RunAsync(["id", RootUser], null, ct);
        if (known != 0)
        {
            throw new LocalServerException(
                $"Postgres does not run as root, and there is no user '{RootUser}' to run it as. Install the distribution's: apt-get install -y postgresql");
        }

        await OwnAsync(data, ct);
        (int reachable, _) = await Programs.RunAsync([.. AsServerUser(), "test", "-w", data], null, ct);
        if (reachable == 0)
            return data;
        Directory.Delete(data);
        string other = folder.Elsewhere("postgres-data");
        options.Log.DataElsewhere(data, other);
        Directory.CreateDirectory(Path.GetDirectoryName(other)!);
        await OwnAsync(other, ct);
        return other;
    }

    private static async Task OwnAsync(string data, CancellationToken ct)
    {
        (int exit, string output) = await Programs.RunAsync(["install", "-d", "-m", "700", "-o", RootUser, "-g", RootUser, data], null, ct);
        if (exit != 0)
            throw new LocalServerException($"The data folder '{data}' could not be made for user {RootUser}: {output}");
    }

    private static Task AskAsync(string connection, CancellationToken ct) => ExecuteAsync(connection + ";Pooling=false;Timeout=5", "SELECT 1", ct);

    private static async Task ExecuteAsync(string connectionString, string sql, CancellationToken ct)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    // A killed postmaster leaves one System V segment of some bytes; line 7 of its pid file names it.
    private static async Task RemoveSharedMemoryAsync(string data)
    {
        string file = Path.Combine(data, "postmaster.pid");
        string? line = File.Exists(file) ? File.ReadLines(file).ElementAtOrDefault(6) : null;
        if (line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, string id] && Programs.Find("ipcrm") is { } ipcrm)
            await Programs.RunAsync([ipcrm, "-m", id], null, CancellationToken.None);
    }
}
