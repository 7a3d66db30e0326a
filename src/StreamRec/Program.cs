using System.CommandLine;
using StreamRec;
using StreamRec.Commands;
using StreamRec.Demo;
using StreamRec.Replay;

var root = new RootCommand("StreamRec: events in on a topic, fresh personal rankings out on a topic.")
{
    DemoCommand.Create(), TestCommand.Create(), RunCommand.Create(), ReplayCommand.Create(), RecommendCommand.Create(), GraphCommands.Create(),
    DeadLetterCommands.Create(), EraseCommand.Create(), BenchCommand.Create(), EvalCommand.Create(), SettingsCommand.Create(), TextCommands.Create(),
};
root.Options.Add(CommandContext.Config);
foreach (var command in ModelCommands.Create().Concat(ServersCommands.Create()))
    root.Subcommands.Add(command);

// Ctrl-C drains: the roles get time to commit what they hold before the process ends.
var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) };
try
{
    return await root.Parse(args).InvokeAsync(invocation);
}
catch (Exception e) when (ExpectedErrors.IsExpected(e))
{
    Console.Error.WriteLine($"streamrec: {e.Message}");
    return 1;
}
catch (OperationCanceledException)
{
    return 130;
}
