using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Model;

namespace StreamRec.Roles;

/// <summary>
/// Tells models.v1 which version serves, whoever put it there: the trainer, <c>models promote</c> or a rollback. The registry row is the truth and is
/// polled (one index probe a look), so a message that could not be sent is sent at the next look; a restart repeats the newest, which compaction absorbs.
/// </summary>
public sealed class ModelAnnouncer(
    ModelRegistry registry, string modelName, string bootstrapServers, string topic,
    TimeSpan poll, TimeProvider time, ILogger<ModelAnnouncer> logger)
{
    /// <summary>Announces until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        using var producer = new ProducerBuilder<string, byte[]>(new ProducerConfig
        {
            BootstrapServers = bootstrapServers,
            Acks = Acks.All,
            EnableIdempotence = true,
        })
            .SetLogHandler((_, m) => Log.Kafka(logger, m.Message))
            .Build();
        using var timer = new PeriodicTimer(poll, time);
        long? announced = null;
        do
        {
            if (await registry.ChampionVersionAsync(modelName, ct) == announced || await registry.ChampionAsync(modelName, ct) is not { } champion)
                continue;
            try
            {
                var value = Json.Encode(new ModelAnnouncement(champion.Name, champion.Version, champion.Status, champion.Digest, champion.Metrics));
                await producer.ProduceAsync(topic, new Message<string, byte[]> { Key = champion.Name, Value = value }, ct);
                announced = champion.Version;
            }
            catch (ProduceException<string, byte[]> e)
            {
                Log.NotAnnounced(logger, champion.Version, topic, e.Error.Reason);
            }
        }
        while (await timer.WaitForNextTickAsync(ct));
    }
}
