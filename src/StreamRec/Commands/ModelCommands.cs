using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StreamRec.Console;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Roles;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;

namespace StreamRec.Commands;

/// <summary><c>models list|show|promote|rollback|compare|map|import</c> and <c>train</c>.</summary>
internal static class ModelCommands
{
    private static readonly Argument<long> Version = new("version") { Description = "Model version, as 'models list' shows it." };

    public static IEnumerable<Command> Create()
    {
        yield return new Command("models", "List, inspect, promote and roll back model versions.")
        {
            List(), Show(), Promote(), Rollback(), Compare(), ModelMapCommand.Create(), Import(),
        };
        yield return Train();
    }

    private static Command List()
    {
        var command = new Command("list", "All versions, newest first.") { CommandContext.Json };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (_, stores) =>
        {
            var models = await stores.Registry.ListAsync(100, ct);
            if (parsed.GetValue(CommandContext.Json))
                CommandContext.PrintJson(models.Select(ModelView.From));
            else
                AnsiConsole.Write(TableOf(models));
            return 0;
        }, ct));
        return command;
    }

    private static Command Show()
    {
        var command = new Command("show", "Manifest and metrics of one version, as JSON.") { Version };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (_, stores) =>
        {
            var version = parsed.GetValue(Version);
            if (await stores.Registry.FindAsync(version, ct) is not { } model)
                return CommandContext.Fail($"there is no model version {version}");
            CommandContext.PrintJson(model);
            return 0;
        }, ct));
        return command;
    }

    private static Command Promote()
    {
        var command = new Command("promote", "Make a version the champion. Takes effect within a second.") { Version };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, (_, stores) => TryAsync(async () =>
        {
            var version = parsed.GetValue(Version);
            var from = await stores.Registry.PromoteAsync(version, Environment.UserName, ct);
            return from == version
                ? $"model {version} serves already"
                : $"model {version} serves now (before: {from?.ToString(CultureInfo.InvariantCulture) ?? "none"})";
        }), ct));
        return command;
    }

    private static Command Rollback()
    {
        var command = new Command("rollback", "Put the previous champion back. Takes effect within a second.");
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, (settings, stores) => TryAsync(async () =>
        {
            var (from, to) = await stores.Registry.RollbackAsync(settings.Trainer.ModelName, Environment.UserName, ct);
            return $"rolled back from model {from} to {to}";
        }), ct));
        return command;
    }

    private static Command Compare()
    {
        var other = new Argument<long>("other") { Description = "The version to compare with." };
        var command = new Command("compare", "Metrics of two versions side by side.") { Version, other };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (_, stores) =>
        {
            var (a, b) = (parsed.GetValue(Version), parsed.GetValue(other));
            if (await stores.Registry.FindAsync(a, ct) is not { } first)
                return CommandContext.Fail($"there is no model version {a}");
            if (await stores.Registry.FindAsync(b, ct) is not { } second)
                return CommandContext.Fail($"there is no model version {b}");
            var table = new Table().AddColumns("metric", $"v{a}", $"v{b}", "difference");
            foreach (var metric in first.Metrics.Keys.Intersect(second.Metrics.Keys).Order(StringComparer.Ordinal))
            {
                table.AddRow(
                    Markup.Escape(metric), Number(first.Metrics[metric]), Number(second.Metrics[metric]),
                    Number(second.Metrics[metric] - first.Metrics[metric]));
            }
            AnsiConsole.Write(table);
            return 0;
        }, ct));
        return command;
    }

    private static Command Import()
    {
        var folder = new Argument<string>("folder") { Description = "What an external trainer hands back: external.json, items.json, model.safetensors." };
        var command = new Command(
            "import", "Assemble, judge and register a model trained outside on a 'graph export'. 0 promoted, 3 rejected by the gate.")
        {
            folder,
        };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (settings, stores) =>
        {
            using var loggers = CommandContext.Loggers();
            using var text = new TextEncoder(settings.Text);
            var worker = new TrainerWorker(settings.Trainer, stores.Graph, stores.Registry, EventTypes.Default, text.ForTraining, loggers);
            var outcome = await worker.ImportAsync(parsed.GetValue(folder)!, Environment.UserName, ct);
            System.Console.WriteLine($"model {outcome.Version} {outcome.Status}: {outcome.Why}");
            return outcome.Promoted ? 0 : 3;
        }, ct));
        return command;
    }

    private static Command Train()
    {
        var fineTune = new Option<bool>("--fine-tune") { Description = "Start from the champion's weights." };
        var wait = new Option<bool>("--wait") { Description = "Show the progress and end with the run: 0 promoted, 3 rejected by the gate, 1 failed." };
        var command = new Command("train", "Ask the trainer for a run.") { fineTune, wait };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (_, stores) =>
        {
            var run = await Triggers.RequestAsync(stores.Registry, null, "streamrec train", parsed.GetValue(fineTune), Environment.UserName, ct);
            System.Console.WriteLine($"training run {run} asked for");
            return parsed.GetValue(wait) ? await WaitAsync(stores.Registry, run, ct) : 0;
        }, ct));
        return command;
    }

    private static async Task<int> WaitAsync(ModelRegistry registry, Guid id, CancellationToken ct)
    {
        TrainRun? run = null;
        await AnsiConsole.Progress().StartAsync(async progress =>
        {
            var bar = progress.AddTask("waiting for a trainer", maxValue: 1);
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(300));
            while (await timer.WaitForNextTickAsync(ct))
            {
                run = await registry.Runs.FindAsync(id, ct) ?? throw new InvalidOperationException($"training run {id} has disappeared");
                bar.Value = run.Fraction;
                if (run.Stage.Length > 0)
                    bar.Description = Markup.Escape(run.Stage);
                if (run.Status is not (RunStatus.Requested or RunStatus.Running))
                    return;
            }
        });
        System.Console.WriteLine($"run {run!.Status}{(run.Version is { } version ? $", model {version}" : "")}{(run.Error is { } error ? $": {error}" : "")}");
        return run.Status switch { RunStatus.Succeeded => 0, RunStatus.Rejected => 3, _ => 1 };
    }

    private static async Task<int> TryAsync(Func<Task<string>> act)
    {
        try
        {
            System.Console.WriteLine(await act());
            return 0;
        }
        catch (InvalidOperationException e)
        {
            return CommandContext.Fail(e.Message);
        }
    }

    private static Table TableOf(IEnumerable<RegisteredModel> models)
    {
        var table = new Table().AddColumns("version", "status", "trained", "parent", "NDCG@10", "HR@10", "digest");
        foreach (var m in models)
        {
            table.AddRow(m.Version.ToString(CultureInfo.InvariantCulture), m.Status, m.CreatedAt.ToString("u", CultureInfo.InvariantCulture),
                m.Parent?.ToString(CultureInfo.InvariantCulture) ?? "–", Metric(m, "ndcg_10"), Metric(m, "hr_10"), m.Digest[..12]);
        }

        return table;
    }

    private static string Metric(RegisteredModel model, string name) => model.Metrics.TryGetValue(name, out var value) ? Number(value) : "–";

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
