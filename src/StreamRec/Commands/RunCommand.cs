using System.CommandLine;
using StreamRec.Roles;

namespace StreamRec.Commands;

/// <summary><c>run ingest|trainer|scorer|console|all</c>: the roles, until SIGINT or SIGTERM, then a graceful drain.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var roles = new Argument<string[]>("role") { Description = "ingest, trainer, scorer, console or all; several may be named.", Arity = ArgumentArity.OneOrMore };
        roles.AcceptOnlyFromAmong("ingest", "trainer", "scorer", "console", "all");
        var command = new Command("run", "Run one or more roles until stopped.") { roles };
        command.SetAction(async (parsed, ct) =>
        {
            var set = parsed.GetValue(roles)!.Aggregate(RoleSet.None, (all, role) => all | Enum.Parse<RoleSet>(role, ignoreCase: true));
            using var loggers = CommandContext.Loggers();
            await using var host = await RoleHost.StartAsync(CommandContext.Settings(parsed), set, loggers, ct);
            try
            {
                await host.Completion.WaitAsync(ct);
                await Task.Delay(Timeout.Infinite, ct); // a console alone has no loop to wait for
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                // Asked to stop: disposing the host drains the roles.
            }

            return 0;
        });
        return command;
    }
}
