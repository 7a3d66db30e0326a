using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Sources;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;

namespace StreamRec.Commands;

/// <summary><c>text pull|pretrain|encode</c>: the encoder of item texts.</summary>
internal static class TextCommands
{
    private static readonly Option<string?> Items = new("--items")
    {
        Description = "Items from a file instead of the store: .jsonl with items.v1 records, or .csv with item_id, title, text, categories (separated by |).",
    };

    public static Command Create() => new("text", "The encoder of item texts: fetch one, train one, run one.") { Pull(), Pretrain(), Encode() };

    private static Command Pull()
    {
        var repository = new Argument<string>("repository") { Description = "owner/name, such as sentence-transformers/all-MiniLM-L6-v2." };
        var output = new Option<string?>("--out") { Description = "Folder; default NAME under text.folder." };
        var revision = new Option<string>("--revision") { Description = "Branch, tag or commit.", DefaultValueFactory = _ => "main" };
        var endpoint = new Option<string?>("--endpoint")
        {
            Description = "Server with Hugging Face's layout; default HF_ENDPOINT, else https://huggingface.co.",
        };
        var command = new Command("pull", "Fetch a BERT sentence encoder; goes on where a cut connection left off, and checks every file.")
        {
            repository, output, revision, endpoint,
        };
        command.SetAction(async (parsed, ct) =>
        {
            var settings = CommandContext.Settings(parsed);
            var name = parsed.GetValue(repository)!;
            var folder = parsed.GetValue(output) ?? Path.Combine(settings.Text.Folder, name.Split('/')[^1]);
            var server = parsed.GetValue(endpoint) ?? Environment.GetEnvironmentVariable("HF_ENDPOINT") ?? "https://huggingface.co";
            if (!Uri.TryCreate(server, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
                return CommandContext.Fail($"--endpoint '{server}' is no http or https address");
            var options = new HubOptions { Endpoint = uri, Revision = parsed.GetValue(revision)!, Token = Environment.GetEnvironmentVariable("HF_TOKEN") };
            IReadOnlyList<PulledFile> files = [];
            await WithBarsAsync(async bars =>
                files = await new WeightsPull(options).PullAsync(
                    name, folder,
                    new Bars<PullProgress>(p => bars(p.File, p.Done, p.Total)),
                    ct));
            foreach (var file in files)
            {
                System.Console.WriteLine(
                    $"{file.Name}: {file.Size.ToString("N0", CultureInfo.InvariantCulture)} bytes, "
                    + $"sha256 {file.Sha256}{(file.Verified ? "" : " (the server gave no checksum to compare)")}");
            }
            using var encoder = SentenceEncoder.Open(folder);
            System.Console.WriteLine(
                $"{encoder.Dimension} dimensions, {encoder.Tokenizer.Vocabulary.Count} pieces, at most {encoder.MaxTokens} tokens; "
                + $"use it with text.weights = {folder}");
            return 0;
        });
        return command;
    }

    private static Command Pretrain()
    {
        var output = new Option<string?>("--out") { Description = "Folder, replaced as a whole; default where the trainer looks for it (text.folder)." };
        var from = new Option<string?>("--from")
        {
            Description = "Go on from this encoder instead of a fresh one: contrast of each text with its masked self.",
        };
        var lora = new Option<int>("--lora")
        {
            Description = "With --from: rank of the adapters on query and value, all other weights frozen; 0 trains all weights.",
            DefaultValueFactory = _ => 8,
        };
        var freeze = new Option<int>("--freeze") { Description = "With --from: layers from below that keep their weights.", DefaultValueFactory = _ => 0 };
        var steps = new Option<int?>("--steps") { Description = "Training steps; default text.pretrain.steps." };
        var command = new Command("pretrain", "Train a text encoder on the catalogue's own text.") { Items, output, from, lora, freeze, steps };
        command.SetAction(async (parsed, ct) =>
        {
            var settings = CommandContext.Settings(parsed);
            var texts = (await ItemsAsync(parsed, settings, ct)).Select(TextEncoder.TextOf).Where(t => t.Length > 0).ToArray();
            if (texts.Length == 0)
                return CommandContext.Fail("no item has a title, a text or a category: there is nothing to train on");
            var folder = parsed.GetValue(output);
            var options = settings.Text.Pretrain;
            options = options with
            {
                Steps = parsed.GetValue(steps) ?? options.Steps,
                MaxTime = parsed.GetValue(steps) is null ? options.MaxTime : TimeSpan.MaxValue,
            };
            TorchRuntime.Prepare(settings.Trainer.Threads);
            var watch = Stopwatch.StartNew();
            var last = default(TextProgress);
            await WithBarsAsync(bars => Task.Run(
                () =>
                {
                    var progress = new Bars<TextProgress>(p => bars(p.Stage, (last = p).Done, p.Total));
                    if (parsed.GetValue(from) is { } start)
                    {
                        var adapters = parsed.GetValue(lora) > 0 ? new LoraOptions { Rank = parsed.GetValue(lora), Alpha = 2 * parsed.GetValue(lora) } : null;
                        folder ??= Path.Combine(settings.Text.Folder, Path.GetFileName(Path.TrimEndingDirectorySeparator(start)) + "-tuned");
                        TextTuner.Run(
                            texts, start,
                            new TuneOptions
                            {
                                Steps = options.Steps, Lora = adapters,
                                FrozenLayers = parsed.GetValue(freeze), Seed = options.Seed,
                            },
                            folder, progress, ct);
                    }
                    else
                    {
                        folder = TextEncoder.Pretrain(texts, settings.Text with { Pretrain = options }, folder, progress, ct);
                    }
                }, ct));
            System.Console.WriteLine(
                $"{texts.Length} texts, {last.Done} steps in {watch.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s, "
                + $"last loss {last.Loss.ToString("0.000", CultureInfo.InvariantCulture)}: {folder}");
            return 0;
        });
        return command;
    }

    private static Command Encode()
    {
        var output = new Option<string?>("--out")
        {
            Description = "Folder for vectors.safetensors (tensor 'vectors' [items, width]) and items.json (ids in row order).",
        };
        var command = new Command("encode", "Vectors of the items' texts, through the cache; a text seen before costs a read.") { Items, output };
        command.SetAction(async (parsed, ct) =>
        {
            var settings = CommandContext.Settings(parsed);
            var items = await ItemsAsync(parsed, settings, ct);
            TorchRuntime.Prepare(settings.Trainer.Threads);
            using var encoder = new TextEncoder(settings.Text);
            TextMatrix? matrix = null;
            var computed = 0;
            var watch = Stopwatch.StartNew();
            await WithBarsAsync(bars => Task.Run(
                () => matrix = encoder.EncodeItems(items, new Bars<TextProgress>(p =>
                {
                    bars(p.Stage, p.Done, p.Total);
                    computed = p.Stage == "encode" ? p.Done : computed;
                }), ct), ct));
            System.Console.WriteLine(
                $"{items.Count} items, {matrix!.Dimension} dimensions, {computed} texts encoded and the rest read or blank, "
                + $"{watch.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s, "
                + $"encoder {matrix.EncoderDigest[..Math.Min(12, matrix.EncoderDigest.Length)]}");
            if (parsed.GetValue(output) is not { } folder)
                return 0;
            Directory.CreateDirectory(folder);
            SafeTensors.Write(
                Path.Combine(folder, "vectors.safetensors"),
                new Dictionary<string, (long[], float[])> { ["vectors"] = ([matrix.Rows, matrix.Dimension], matrix.Values) },
                _ => settings.Text.Half);
            await File.WriteAllTextAsync(Path.Combine(folder, "items.json"), System.Text.Json.JsonSerializer.Serialize(items.Select(i => i.ItemId)), ct);
            System.Console.WriteLine($"written to {folder}");
            return 0;
        });
        return command;
    }

    private static async Task<IReadOnlyList<ItemRecord>> ItemsAsync(ParseResult parsed, Settings settings, CancellationToken ct)
    {
        if (parsed.GetValue(Items) is { } file)
            return ItemFile.Read(file);
        using var loggers = CommandContext.Loggers(Microsoft.Extensions.Logging.LogLevel.Warning);
        await using var stores = await Connections.OpenAsync(settings.Resolved(), loggers, ct);
        return await stores.Graph.CatalogueAsync(ct);
    }

    /// <summary>One bar per name, made when it first reports.</summary>
    private static Task WithBarsAsync(Func<Action<string, long, long?>, Task> work) =>
        AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async progress =>
        {
            var bars = new Dictionary<string, ProgressTask>(StringComparer.Ordinal);
            await work((name, done, total) =>
            {
                if (!bars.TryGetValue(name, out var bar))
                    bars[name] = bar = progress.AddTask(Markup.Escape(name));
                bar.IsIndeterminate = total is null;
                bar.MaxValue = Math.Max(1, total ?? done + 1);
                bar.Value = done;
            });
        });

    /// <summary>Reports on the caller's thread, in order.</summary>
    private sealed class Bars<T>(Action<T> show) : IProgress<T>
    {
        public void Report(T value) => show(value);
    }
}
