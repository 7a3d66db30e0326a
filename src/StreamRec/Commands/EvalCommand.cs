using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Spectre.Console;
using StreamRec.Contracts;
using StreamRec.Local;
using StreamRec.Model;
using StreamRec.Sources;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Evaluation;
using StreamRec.Trainer.Text;

namespace StreamRec.Commands;

/// <summary><c>eval</c>: trains on a public data set and judges the model, each of its channels and the baselines by the evaluation protocol.</summary>
internal static class EvalCommand
{
    private static readonly string[] ChannelChoices =
    [
        ChannelNames.Gnn, ChannelNames.ItemKnn, ChannelNames.ItemKnnLong, ChannelNames.Ease, ChannelNames.EaseLong,
        ChannelNames.Nearby, ChannelNames.Personal, ChannelNames.Popularity, ChannelNames.Trending,
        ChannelNames.Markov, ChannelNames.Text,
    ];

    private static readonly Option<string> Dataset = new("--dataset") { Description = "Data set.", Required = true };
    private static readonly Option<string> Data = new("--data") { Description = "Folder of the data set.", Required = true };
    private static readonly Option<string> Protocol = new("--protocol")
    {
        Description = "temporal: one list per user at the cut; prequential: before each event; prequential-strict: and nothing of the same moment is visible.",
        Required = true,
    };

    private static readonly Option<string?> Task = new("--task")
    {
        Description =
            "Online Retail: repeat (every purchase counts, the default) "
            + "or new (only items the person never bought). MovieLens has one task, exclude.",
    };

    private static readonly Option<string> Split =
        new("--split") { Description = "valid is for choosing settings, test for reporting.", DefaultValueFactory = _ => "test" };
    private static readonly Option<int> Seeds = new("--seeds") { Description = "Runs with seeds 0, 1, …", DefaultValueFactory = _ => 3 };
    private static readonly Option<string?> Channels = new("--channels")
    {
        Description = "Only these channels, separated by commas: " + string.Join(", ", ChannelChoices) + ".",
    };
    private static readonly Option<int> Every = new("--every") { Description = "Judge every n-th event only; for a quick look.", DefaultValueFactory = _ => 1 };
    private static readonly Option<int> LearnEvery =
        new("--learn-every") { Description = "Learn the blend from every n-th event only.", DefaultValueFactory = _ => 1 };
    private static readonly Option<int> LearnOn = new("--learn-on")
    {
        Description = "Judge as well a model that is fine-tuned on each so many events of the test part, right after they were judged.",
    };
    private static readonly Option<bool> FineTuned = new("--fine-tuned")
    {
        Description = "Judge as well a graph channel that learned the train part in full and the validation part by fine-tuning.",
    };
    private static readonly Option<DirectoryInfo?> Models = new("--models") { Description = "Keep trained encoders here and use those that fit the settings." };
    private static readonly Option<DirectoryInfo?> Raw =
        new("--raw") { Description = "Write each ranker's results per question here, as DATASET/NAME[.seedN].npz." };
    private static readonly Option<FileInfo[]> Against = new("--against")
    {
        Description = "Raw .npz of another system: adds the paired difference in NDCG@10. May be given several times.",
    };
    private static readonly Option<FileInfo?> Report = new("--report") { Description = "Also write everything as one JSON object." };
    private static readonly Option<bool> NoBaselines = new("--no-baselines") { Description = "Leave out the rankers that stand beside every result." };
    private static readonly Option<bool> NoText = new("--no-text") { Description = "Leave the items' texts out." };

    public static Command Create()
    {
        Dataset.AcceptOnlyFromAmong([.. EvaluationData.Names]);
        Protocol.AcceptOnlyFromAmong("temporal", "prequential", "prequential-strict");
        Task.AcceptOnlyFromAmong("exclude", "repeat", "new");
        Split.AcceptOnlyFromAmong("valid", "test");
        var command = new Command("eval", "Judge the model, each of its channels and the baselines on a public data set, full ranking, by a fixed protocol.")
        {
            Dataset, Data, Protocol, Task, Split, Seeds, Channels, Every, LearnEvery, LearnOn, FineTuned, NoText, NoBaselines, Models, Raw, Against, Report,
        };
        command.SetAction(async (parsed, ct) => await System.Threading.Tasks.Task.Run(() => Run(parsed, ct), ct));
        return command;
    }

    private static int Run(ParseResult parsed, CancellationToken ct)
    {
        var settings = CommandContext.Settings(parsed);
        var options = OptionsOf(parsed);
        var against = (parsed.GetValue(Against) ?? [])
            .ToDictionary(
                f => Path.GetFileNameWithoutExtension(f.Name),
                f => ReadRaw(f.FullName),
                StringComparer.Ordinal);
        using var loggers = CommandContext.Loggers(LogLevel.Information);
        EvaluationSet set = null!;
        EvalResult result = null!;
        WithProgress(progress =>
        {
            progress("read the data", 0);
            set = EvaluationData.Open(parsed.GetValue(Dataset)!, parsed.GetValue(Data)!);
            progress("texts", 0);
            TextVectors? text = null;
            if (!parsed.GetValue(NoText) && (options.Channels.Count == 0 || settings.Trainer.Items.Text || options.Channels.Contains(ChannelNames.Text)))
            {
                using var encoder = new TextEncoder(settings.Text.Weights is null ? settings.Text with { Weights = WeightsBesideTheClone() } : settings.Text);
                text = encoder.ForTraining(set.Snapshot.Items, ct);
            }

            result = new EvalRun(set, text, settings.Trainer, options, EventTypes.Default, loggers.CreateLogger("StreamRec.Trainer"), progress, ct).Run();
        });
        var report = EvalReport.Of(set, options, parsed.GetValue(Protocol)!, result, against);
        Print(report);
        if (parsed.GetValue(Raw) is { } raw)
            WriteRaw(raw, set, options, result);
        if (parsed.GetValue(Report) is { } file)
            report.Write(file.FullName);
        return 0;
    }

    /// <summary>A sentence encoder in the optional folder beside the clone; null where there is none.</summary>
    private static string? WeightsBesideTheClone()
    {
        var folder = Path.Combine(LocalPaths.Root, "..", "shared", "weights", "all-MiniLM-L6-v2");
        return Directory.Exists(folder) ? folder : null;
    }

    private static EvalOptions OptionsOf(ParseResult parsed)
    {
        var shop = parsed.GetValue(Dataset) == "online-retail";
        var task = parsed.GetValue(Task) ?? (shop ? "repeat" : "exclude");
        if (shop == (task == "exclude"))
            throw new SourceException($"--task {task}: {(shop ? "online-retail has the tasks repeat and new" : "MovieLens has the task exclude only")}");
        int AtLeastOne(Option<int> option) =>
            parsed.GetValue(option) is >= 1 and var n
                ? n
                : throw new SourceException($"{option.Name} {parsed.GetValue(option)} must be at least 1");
        string[] channels = [.. (parsed.GetValue(Channels) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
        if (channels.FirstOrDefault(c => !ChannelChoices.Contains(c)) is { } unknown)
            throw new SourceException($"--channels: '{unknown}' is not one of {string.Join(", ", ChannelChoices)}");
        var (learnOn, fineTuned) = (parsed.GetValue(LearnOn), parsed.GetValue(FineTuned));
        if (learnOn < 0)
            throw new SourceException($"--learn-on {learnOn} must be above 0");
        if ((learnOn > 0 || fineTuned) && (parsed.GetValue(Protocol) == "temporal" || parsed.GetValue(Split) == "valid"))
        {
            throw new SourceException(
                $"{(fineTuned ? "--fine-tuned" : "--learn-on")} "
                + "needs a prequential protocol and --split test, "
                + $"not --protocol {parsed.GetValue(Protocol)} --split {parsed.GetValue(Split)}");
        }
        if (fineTuned && channels.Length > 0 && !channels.Contains(ChannelNames.Gnn))
            throw new SourceException($"--fine-tuned judges the channel {ChannelNames.Gnn}, which --channels {string.Join(',', channels)} leaves out");
        return new EvalOptions
        {
            LearnOnEvery = learnOn,
            FineTuned = fineTuned,
            Protocol = parsed.GetValue(Protocol) switch
            {
                "temporal" => EvalProtocol.Temporal,
                "prequential" => EvalProtocol.Prequential,
                _ => EvalProtocol.PrequentialStrict,
            },
            Task = task == "repeat" ? SeenRule.Repeat : SeenRule.Exclude,
            Split = parsed.GetValue(Split) == "valid" ? EvalSplit.Valid : EvalSplit.Test,
            Seeds = AtLeastOne(Seeds),
            Every = AtLeastOne(Every),
            LearnEvery = AtLeastOne(LearnEvery),
            Channels = channels,
            Baselines = !parsed.GetValue(NoBaselines),
            ModelsDirectory = parsed.GetValue(Models)?.FullName,
        };
    }

    private static Dictionary<string, Array> ReadRaw(string path)
    {
        if (!File.Exists(path))
            throw new SourceException($"--against {path}: there is no such file");
        try
        {
            return NpzFile.Read(path);
        }
        catch (InvalidDataException e)
        {
            throw new SourceException($"--against {e.Message}");
        }
    }

    private static void WriteRaw(DirectoryInfo folder, EvaluationSet set, EvalOptions options, EvalResult result)
    {
        var task = set.RawTask(options.Protocol, options.Task);
        foreach (var judged in result.Judged.Where(j => j.Raw.Count > 0 && !j.IsMean))
        {
            var name = judged.Seed is null or 0 ? judged.Name : $"{judged.Name}.seed{judged.Seed}";
            NpzFile.Update(Path.Combine(folder.FullName, set.Name, name + ".npz"), judged.Raw.ToDictionary(r => $"{task}/{r.Key}", r => r.Value));
        }
    }

    /// <summary>A bar on a terminal; elsewhere a line of standard error per stage.</summary>
    private static void WithProgress(Action<EvalProgress> work)
    {
        if (System.Console.IsErrorRedirected || System.Console.IsOutputRedirected)
        {
            var last = "";
            work((stage, _) =>
            {
                if (stage == Interlocked.Exchange(ref last, stage))
                    return;
                System.Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {stage}");
            });
            return;
        }

        AnsiConsole.Progress().AutoClear(true).Start(context =>
        {
            var task = context.AddTask("evaluate");
            work((stage, fraction) =>
            {
                task.Description = Markup.Escape(stage);
                task.Value = 100 * fraction;
            });
        });
    }

    private static void Print(EvalReport report)
    {
        var digest = report.Split.TestSha256EventOrder;
        AnsiConsole.MarkupLineInterpolated(
            CultureInfo.InvariantCulture,
            $"{report.Dataset}, {report.Protocol}, {report.Task}, {report.Part} part, every {report.Every}; test part sha256 {digest}");
        var temporal = report.Protocol == "temporal";
        var table = new Table().AddColumns(
            "name", "seed", "n", "NDCG@10", "95 %",
            temporal ? "Recall@20" : "HR@10", temporal ? "coverage@20" : "HR@20", temporal ? "cold R@20" : "cold HR@20",
            "train s");
        foreach (var name in report.Models.SelectMany(m => m.Paired.Keys).Distinct(StringComparer.Ordinal))
            table.AddColumn(Markup.Escape($"− {name} (z)"));
        foreach (var m in report.Models)
        {
            string[] cells =
            [
                m.Name, m.Seed, F(m.Metrics["n"], "f0"), F(m.Ndcg10, "f4"), $"{F(m.Ndcg10Low, "f4")} … {F(m.Ndcg10High, "f4")}",
                F(m.Metrics[temporal ? "recall_20" : "hr_10"], "f4"), F(m.Metrics[temporal ? "coverage_20" : "hr_20"], "f4"),
                F(m.Metrics[temporal ? "cold_recall_20" : "cold_hr_20"], "f4"), Seconds(m),
            ];
            table.AddRow([.. cells.Concat(m.Paired.Values.Select(p => $"{F(p.Mean, "+0.0000;-0.0000")} ({F(p.Z, "+0.0;-0.0")})")).Select(Markup.Escape)]);
        }

        if (System.Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = 200;
        AnsiConsole.Write(table);
    }

    private static string Seconds(EvalModel m) => m.Metrics.TryGetValue("fine_tune_s", out var own) ? F(own, "f1") : m.TrainS > 0 ? F(m.TrainS, "f1") : "";

    private static string F(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
