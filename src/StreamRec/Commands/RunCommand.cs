using System.CommandLine;
using StreamRec.Ingest;
using StreamRec.Roles;

namespace StreamRec.Commands;

/// <summary><c>run ingest|trainer|scorer|console|all</c>: the roles, until SIGINT or SIGTERM, then a graceful drain.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var roles = new Argument<string[]>("role")
        {
            Description = "ingest, trainer, scorer, console or all; several may be named.",
            Arity = ArgumentArity.OneOrMore,
        };
        roles.AcceptOnlyFromAmong("ingest", "trainer", "scorer", "console", "all");
        var fromOffset = new Option<long?>("--from-offset") { Description = "Ingest: where a fresh schema begins to read interactions, in every partition." };
        var fromTime = new Option<DateTimeOffset?>("--from-time")
        {
            Description = "Ingest: a fresh schema begins with the first interactions that reached the log at or after this time.",
        };
        var command = new Command("run", "Run one or more roles until stopped.") { roles, fromOffset, fromTime };
        command.Validators.Add(result =>
        {
            if (result.GetValue(fromOffset) is not null && result.GetValue(fromTime) is not null)
                result.AddError("--from-offset and --from-time exclude each other");
        });
        command.SetAction(async (parsed, ct) =>
        {
            var set = parsed.GetValue(roles)!.Aggregate(RoleSet.None, (all, role) => all | Enum.Parse<RoleSet>(role, ignoreCase: true));
            using var loggers = CommandContext.Loggers();
            var (offset, time) = (parsed.GetValue(fromOffset), parsed.GetValue(fromTime));
            var from = offset is null && time is null ? null : new ReplayFrom { Offset = offset, Time = time };
            await using var host = await RoleHost.StartAsync(CommandContext.Settings(parsed), set, loggers, ct, from);
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
