using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace StreamRec.Local;

/// <summary>Waiting for servers, and free ports for them.</summary>
internal static class Health
{
    private const int PortTries = 3;
    private static readonly HashSet<int> GivenPorts = [];

    /// <summary>A loopback port that nobody listens on now and that this process has not given out yet.</summary>
    public static int FreePort()
    {
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            int port = ((IPEndPoint)socket.LocalEndPoint!).Port;
            lock (GivenPorts)
            {
                if (GivenPorts.Add(port))
                    return port;
            }
        }
    }

    /// <summary>
    /// Asks until <paramref name="healthy"/> says so. The answer of the last try is part of the error after <paramref name="limit"/>;
    /// a server that exits meanwhile is an error at once, with the end of its log.
    /// </summary>
    public static async Task WaitAsync(
        string what, ServerProcess? process, TimeSpan limit, Func<CancellationToken, Task> healthy, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            Exception last;
            try
            {
                await healthy(ct);
                return;
            }
            catch (Exception e) when (e is not OperationCanceledException || !ct.IsCancellationRequested)
            {
                last = e;
            }

            if (process?.HasExited == true)
                throw new LocalServerException($"{what}: the process ended. The end of its log:\n{process.LogTail()}", last);
            if (Stopwatch.GetElapsedTime(start) > limit)
            {
                string log = process is null ? "" : $" The end of its log:\n{process.LogTail()}";
                throw new LocalServerException($"{what}: no healthy answer within {limit.TotalSeconds:F0} s ({last.Message}).{log}", last);
            }

            await timer.WaitForNextTickAsync(ct);
        }
    }

    /// <summary>Connects to a loopback port, or throws.</summary>
    public static async Task ConnectAsync(int port, CancellationToken ct)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, ct);
    }

    /// <summary>Starts a server on a free port; again on another one if somebody else took the port in between.</summary>
    public static async Task<T> OnFreePortAsync<T>(Func<int, Task<T>> start, Action<int> taken)
    {
        for (int attempt = 1; ; attempt++)
        {
            int port = FreePort();
            try
            {
                return await start(port);
            }
            catch (LocalServerException e) when (attempt < PortTries && e.Message.Contains("in use", StringComparison.OrdinalIgnoreCase))
            {
                taken(port);
            }
        }
    }
}
