using StreamRec.Local;
using Xunit.Runner.InProc.SystemConsole;

namespace StreamRec.IntegrationTests;

/// <summary>
/// The entry point: the test runner, or, where <see cref="Variable"/> names a folder, a process that owns servers there until it is killed.
/// </summary>
internal static class ServerOwner
{
    public const string Variable = "STREAMREC_TEST_OWNER_OF", Ready = "servers are up";

    public static async Task<int> Main(string[] arguments)
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } root)
            return await ConsoleRunner.Run(arguments);
        var options = new LocalServersOptions { Root = root, Servers = ServerKinds.Postgres | ServerKinds.Redis, UseExternal = false };
        await using LocalServers servers = await LocalServers.StartAsync(options, CancellationToken.None);
        System.Console.WriteLine(Ready);
        await System.Console.Out.FlushAsync();
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}
