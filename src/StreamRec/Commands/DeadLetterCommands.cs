using System.CommandLine;
using System.Globalization;
using System.Text;
using Spectre.Console;
using StreamRec.Ingest;

namespace StreamRec.Commands;

/// <summary><c>deadletters list|show|replay</c>.</summary>
internal static class DeadLetterCommands
{
    private static readonly Option<string?> Reason = new("--reason") { Description = "Only this reason code, such as malformed_json." };
    private static readonly Option<string?> Source = new("--topic") { Description = "Only from this source topic." };
    private static readonly Option<DateTimeOffset?> From = new("--from") { Description = "Only set aside at or after this time." };
    private static readonly Option<DateTimeOffset?> Until = new("--until") { Description = "Only set aside at or before this time." };
    private static readonly Option<int?> MaxReplays = new("--max-replays") { Description = "Only those sent back at most this often before; 0 = never." };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many.", DefaultValueFactory = _ => 50 };

    public static Command Create() =>
        new("deadletters", "Input that could not be applied: look at it, mend the cause, replay it.") { List(), Show(), Replay() };

    private static Command List()
    {
        var command = new Command("list", "Dead letters, oldest first.") { Reason, Source, From, Until, MaxReplays, Limit, CommandContext.Json };
        command.SetAction(async (parsed, ct) =>
        {
            List<DeadLetter> letters = [];
            await foreach (var letter in new DeadLetters(Options(parsed)).ListAsync(Filter(parsed), ct))
            {
                letters.Add(letter);
                if (letters.Count == parsed.GetValue(Limit))
                    break;
            }

            if (parsed.GetValue(CommandContext.Json))
                CommandContext.PrintJson(letters);
            else
                AnsiConsole.Write(TableOf(letters));
            return 0;
        });
        return command;
    }

    private static Command Show()
    {
        var partition = new Argument<int>("partition") { Description = "Partition of the dead letter itself." };
        var offset = new Argument<long>("offset") { Description = "Offset of the dead letter itself." };
        var output = new Option<FileInfo?>("--out") { Description = "Write the value's bytes, exactly as they came, to this file." };
        var command = new Command("show", "One dead letter with its bytes.") { partition, offset, output };
        command.SetAction(async (parsed, ct) =>
        {
            var letter = await new DeadLetters(Options(parsed)).ShowAsync(parsed.GetValue(partition), parsed.GetValue(offset), ct);
            if (letter is null)
                return CommandContext.Fail($"there is no dead letter at partition {parsed.GetValue(partition)}, offset {parsed.GetValue(offset)}");
            System.Console.WriteLine($"reason  {letter.Reason}{(letter.Detail is { } detail ? $": {detail}" : "")}");
            System.Console.WriteLine(
                $"source  {letter.SourceTopic} [{letter.SourcePartition}] @ {letter.SourceOffset}, "
                + $"set aside {letter.Time:u}, replayed {letter.Replays} times");
            System.Console.WriteLine($"key     {Readable(letter.Key)}");
            foreach (var (name, bytes) in letter.Headers)
                System.Console.WriteLine($"header  {Readable(Encoding.UTF8.GetBytes(name))}: {Readable(bytes)}");
            System.Console.WriteLine(
                $"value   {(letter.TruncatedFrom is { } length ? $"(the first {letter.Value?.Length} of {length} bytes) " : "")}"
                + Readable(letter.Value));
            if (letter.Value is { } value && !System.Text.Unicode.Utf8.IsValid(value))
                System.Console.WriteLine($"hex     {Convert.ToHexStringLower(value)}");
            if (parsed.GetValue(output) is { } file)
                await File.WriteAllBytesAsync(file.FullName, letter.Value ?? [], ct);
            return 0;
        });
        return command;
    }

    private static Command Replay()
    {
        var command = new Command("replay", "Send the original bytes back to their topics. What is still bad comes back with a counter.")
        {
            Reason, Source, From, Until, MaxReplays,
        };
        command.SetAction(async (parsed, ct) =>
        {
            var (sent, truncated) = await new DeadLetters(Options(parsed)).ReplayAsync(Filter(parsed), ct);
            System.Console.WriteLine($"{sent.ToString("N0", CultureInfo.InvariantCulture)} dead letters sent back");
            if (truncated > 0)
            {
                System.Console.WriteLine(
                    $"{truncated.ToString("N0", CultureInfo.InvariantCulture)} "
                    + "left out: only their start was kept, they were larger than ingest.maxDeadLetterBytes");
            }
            return 0;
        });
        return command;
    }

    private static IngestOptions Options(ParseResult parsed)
    {
        var settings = CommandContext.Settings(parsed).Resolved();
        return settings.Kafka.BootstrapServers is null
            ? throw new SettingsException(
                "kafka.bootstrapServers is not set, STREAMREC_KAFKA_BOOTSTRAP is not set, and no servers of 'streamrec up' are running")
            : settings.Ingest;
    }

    private static DeadLetterFilter Filter(ParseResult parsed) => new()
    {
        Reason = parsed.GetValue(Reason),
        SourceTopic = parsed.GetValue(Source),
        From = parsed.GetValue(From),
        Until = parsed.GetValue(Until),
        MaxReplays = parsed.GetValue(MaxReplays),
    };

    private static Table TableOf(IEnumerable<DeadLetter> letters)
    {
        var table = new Table().AddColumns("partition", "offset", "time", "source", "reason", "detail", "value");
        foreach (var l in letters)
        {
            string[] row =
            [
                l.Partition.ToString(CultureInfo.InvariantCulture),
                l.Offset.ToString(CultureInfo.InvariantCulture),
                l.Time.ToString("u", CultureInfo.InvariantCulture),
                $"{l.SourceTopic} [{l.SourcePartition}] @ {l.SourceOffset}", l.Reason, l.Detail ?? "", Readable(l.Value, 60),
            ];
            table.AddRow([.. row.Select(cell => new Markup(Markup.Escape(cell)))]);
        }

        return table;
    }

    /// <summary>Bytes as text, with everything a terminal might act on replaced: dead letters are hostile until proven otherwise.</summary>
    private static string Readable(byte[]? bytes, int limit = int.MaxValue)
    {
        if (bytes is null)
            return "(null)";
        var text = Encoding.UTF8.GetString(bytes, 0, Math.Min(bytes.Length, limit));
        return string.Concat(text.Select(c => char.IsControl(c) ? '\ufffd' : c)) + (bytes.Length > limit ? "…" : "");
    }
}
