using System.CommandLine;
using System.Text.Json;
using Confluent.Kafka;
using StreamRec.Console;

namespace StreamRec.Commands;

/// <summary>
/// <c>erase USER --proof FILE</c>: removes a person from Postgres and Redis now, and sends the tombstone on users.v1 that makes every scorer
/// forget them and the compacted list topic drop their list. The proof says what was removed where, with the digest before and after.
/// </summary>
internal static class EraseCommand
{
    public static Command Create()
    {
        var user = new Argument<string>("user") { Description = "User id." };
        var proofFile = new Option<FileInfo>("--proof") { Description = "Where the proof is written, as JSON.", Required = true };
        var command = new Command("erase", "Erase a person everywhere and write a proof.") { user, proofFile };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (settings, stores) =>
        {
            var id = parsed.GetValue(user)!;
            var proof = await stores.Graph.EraseAsync(id, cancellation: ct);
            var redis = await stores.Redis.EraseAsync(id);
            await TombstoneAsync(settings, id, ct);
            var file = parsed.GetValue(proofFile)!.FullName;
            await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { postgres = proof, redis, tombstone = settings.Topics.Users }, Indented), ct);
            System.Console.WriteLine($"{proof.Removed.Values.Sum() + redis.Values.Sum()} entries removed; proof in {file}");
            return 0;
        }, ct));
        return command;
    }

    private static JsonSerializerOptions Indented { get; } = new(ConsoleJson.Options) { WriteIndented = true };

    private static async Task TombstoneAsync(Settings settings, string user, CancellationToken ct)
    {
        var bootstrap = settings.Kafka.BootstrapServers
            ?? throw new SettingsException("kafka.bootstrapServers is not set: Postgres and Redis are erased, but the tombstone on users.v1 could not be sent");
        using var producer = new ProducerBuilder<string, byte[]?>(new ProducerConfig { BootstrapServers = bootstrap }).SetLogHandler((_, _) => { }).Build();
        await producer.ProduceAsync(settings.Topics.Users, new Message<string, byte[]?> { Key = user, Value = null }, ct);
    }
}
