using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StreamRec.Local;

/// <summary>A private Redis on 127.0.0.1 that keeps nothing on disk: it is a cache that Postgres can rebuild.</summary>
internal sealed class RedisServer
{
    private const string Name = "redis";
    private readonly RunFolder _folder;
    private readonly LocalServersOptions _options;
    private readonly ServerCommand _command;
    private readonly int _port;
    private ServerProcess _process;

    private RedisServer(RunFolder folder, LocalServersOptions options, ServerCommand command, ServerProcess process, int port)
    {
        (_folder, _options, _command, _process, _port) = (folder, options, command, process, port);
    }

    /// <summary>In StackExchange.Redis' form. allowAdmin lets a test flush.</summary>
    public string ConnectionString => $"127.0.0.1:{_port},allowAdmin=true";

    public static Task<RedisServer> StartAsync(RunFolder folder, LocalServersOptions options, CancellationToken ct)
    {
        string redis = Programs.Require(Programs.Find("redis-server"), "redis-server", "redis-server");
        return Health.OnFreePortAsync(
            port => StartOnPortAsync(folder, options, redis, port, ct), port => options.Log.PortTaken(port, Name));
    }

    public Task KillAsync() => _process.KillAsync();

    /// <summary>Starts it again on the same port, empty.</summary>
    public async Task RestartAsync(CancellationToken ct)
    {
        if (!_process.HasExited)
            await _process.StopAsync();
        _process = await ServerProcess.StartAsync(_folder, _command, _options.Log);
        await Health.WaitAsync("Redis restarts", _process, _options.StartTimeout, token => PingAsync(_port, token), ct);
    }

    public Task StopAsync() => _process.StopAsync();

    private static async Task<RedisServer> StartOnPortAsync(
        RunFolder folder, LocalServersOptions options, string redis, int port, CancellationToken ct)
    {
        long start = Stopwatch.GetTimestamp();
        string data = folder.In("redis-data");
        Directory.CreateDirectory(data);
        string[] arguments =
        [
            redis, "--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            // The command line stays as given, so that a later start can tell this server from a stranger's.
            "--set-proc-title", "no", "--dir", data,
        ];
        var command = new ServerCommand(Name, arguments, data, data, Libc.SigTerm);
        options.Log.ServerStarts("Redis", port, redis);
        ServerProcess process = await ServerProcess.StartAsync(folder, command, options.Log);
        try
        {
            await Health.WaitAsync("Redis starts", process, options.StartTimeout, token => PingAsync(port, token), ct);
        }
        catch
        {
            await process.StopAsync();
            throw;
        }

        options.Log.ServerReady("Redis", $"127.0.0.1:{port}", Stopwatch.GetElapsedTime(start).TotalSeconds);
        return new RedisServer(folder, options, command, process, port);
    }

    private static async Task PingAsync(int port, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(TimeSpan.FromSeconds(2));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, timeout.Token);
        await socket.SendAsync("PING\r\n"u8.ToArray(), timeout.Token);
        byte[] answer = new byte[64];
        int read = await socket.ReceiveAsync(answer, timeout.Token);
        string text = Encoding.ASCII.GetString(answer, 0, read).Trim();
        if (text != "+PONG")
            throw new LocalServerException($"Redis answered '{text}' to PING");
    }
}
