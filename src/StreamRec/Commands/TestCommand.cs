using System.CommandLine;
using StreamRec.Local;
using StreamRec.Testing;

namespace StreamRec.Commands;

/// <summary><c>test</c>: all test programs of the clone, one after the other, against servers started once for them.</summary>
internal static class TestCommand
{
    public static Command Create()
    {
        var filter = new Option<string?>("--filter")
        {
            Description = "Only tests whose full name contains this; NAME=VALUE selects by trait; /assembly/namespace/class/method is xunit's query language.",
        };
        var minutes = new Option<int>("--timeout-minutes")
        {
            Description = "Limit per test program; one that runs longer counts as failed.", DefaultValueFactory = _ => 12,
        };
        var command = new Command("test", "Run the unit, trainer, integration and console tests.") { filter, minutes };
        command.SetAction((parsed, ct) => RunAsync(parsed.GetValue(filter), TimeSpan.FromMinutes(parsed.GetValue(minutes)), ct));
        return command;
    }

    private static async Task<int> RunAsync(string? filter, TimeSpan limit, CancellationToken ct)
    {
        IReadOnlyList<TestProgram> programs = TestProgram.FindAll(LocalPaths.Root);
        if (programs.Count == 0)
            return CommandContext.Fail($"no test program is built below '{Path.Combine(LocalPaths.Root, "tests")}'; ./streamrec test builds them");
        using var loggers = CommandContext.Loggers(Microsoft.Extensions.Logging.LogLevel.Warning);
        var options = new LocalServersOptions { Root = LocalPaths.NewRunFolder("test"), Log = loggers.CreateLogger("StreamRec.Local") };
        await using LocalServers servers = await LocalServers.StartAsync(options, ct);
        System.Console.WriteLine($"Postgres and Redis are private; Kafka: {servers.KafkaKind}");

        var total = new TestCounts(0, 0, 0);
        foreach (TestProgram program in programs)
            total += await program.RunAsync(filter, servers, limit, ct);
        await servers.DisposeAsync();

        if (total.Ran == 0)
            System.Console.WriteLine(filter is null ? "no test ran" : $"no test matches --filter '{filter}'");
        System.Console.WriteLine(total.ToString());
        return total is { Failed: 0, Ran: > 0 } ? 0 : 1;
    }
}
