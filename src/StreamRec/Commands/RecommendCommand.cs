using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Confluent.Kafka;
using Spectre.Console;
using StreamRec.Contracts;

namespace StreamRec.Commands;

/// <summary><c>recommend USER</c>: sends a request the way a product service does and prints the list that answers it.</summary>
internal static class RecommendCommand
{
    private static readonly Option<int> K = new("--k") { Description = "Length of the list, 1..500.", DefaultValueFactory = _ => 10 };
    private static readonly Option<bool> Explain = new("--explain")
    {
        Description = "Show channel and reason of each item, and what each event of the user's history does for it in the graph channel.",
    };
    private static readonly Option<bool> Mask = new("--mask")
    {
        Description = "With --explain: also learn the smallest part of the history that carries each item (GNNExplainer); about a second per item.",
    };
    private static readonly Option<bool> Neighbours = new("--neighbours")
    {
        Description = "With --explain: also show each item's neighbours in the item graph and their importance; reads a snapshot of the graph.",
    };
    private static readonly Option<int> TimeoutSeconds = new("--timeout") { Description = "Seconds to wait for the answer.", DefaultValueFactory = _ => 10 };

    public static Command Create()
    {
        var user = new Argument<string>("user") { Description = "User id." };
        var command = new Command("recommend", "Ask for one user's list over the topics.")
        {
            user, K, Explain, Mask, Neighbours, TimeoutSeconds, CommandContext.Json,
        };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (settings, stores) =>
        {
            var list = await AskAsync(settings, parsed.GetValue(user)!, parsed.GetValue(K), TimeSpan.FromSeconds(parsed.GetValue(TimeoutSeconds)), ct);
            if (list is null)
                return CommandContext.Fail($"no answer within {parsed.GetValue(TimeoutSeconds)} s (--timeout); is a scorer running?");
            if (parsed.GetValue(CommandContext.Json))
                System.Console.WriteLine(JsonSerializer.Serialize(list, WireJson.Default.RecommendationList));
            else
                await PrintAsync(list, stores, parsed.GetValue(Explain), ct);
            if (parsed.GetValue(Explain))
            {
                var explanation = new RecommendExplanation(settings, stores, parsed.GetValue(Mask), parsed.GetValue(Neighbours));
                await explanation.PrintAsync(list, parsed.GetValue(user)!, parsed.GetValue(CommandContext.Json), ct);
            }

            return 0;
        }, ct));
        return command;
    }

    private static async Task<RecommendationList?> AskAsync(Settings settings, string user, int k, TimeSpan timeout, CancellationToken ct)
    {
        var topics = settings.Topics;
        var bootstrap = settings.Kafka.BootstrapServers
            ?? throw new SettingsException("kafka.bootstrapServers is not set and no servers of 'streamrec up' are running");
        var request = new RecommendationRequest { RequestId = Guid.CreateVersion7().ToString(), UserId = user, K = k, Surface = "cli" };
        using var consumer = new ConsumerBuilder<string, byte[]>(new ConsumerConfig
        {
            BootstrapServers = bootstrap,
            GroupId = $"streamrec-cli-{request.RequestId}",
            EnableAutoCommit = false,
        }).SetLogHandler((_, _) => { }).Build();
        using var producer = new ProducerBuilder<string, byte[]>(new ProducerConfig { BootstrapServers = bootstrap }).SetLogHandler((_, _) => { }).Build();

        // The answer lands where the request's key hashes to; reading every partition from its end needs no such knowledge.
        var partitions = topics.All.Single(t => t.Name == topics.Recommendations).Partitions;
        consumer.Assign(Enumerable.Range(0, partitions).Select(p =>
        {
            var partition = new TopicPartition(topics.Recommendations, p);
            return new TopicPartitionOffset(partition, consumer.QueryWatermarkOffsets(partition, timeout).High);
        }));
        var message = new Message<string, byte[]> { Key = user, Value = JsonSerializer.SerializeToUtf8Bytes(request, WireJson.Default.RecommendationRequest) };
        await producer.ProduceAsync(topics.Requests, message, ct);
        var until = DateTime.UtcNow + timeout;
        while (DateTime.UtcNow < until)
        {
            ct.ThrowIfCancellationRequested();
            if (consumer.Consume(TimeSpan.FromMilliseconds(200)) is not { Message.Value: { } value })
                continue;
            var list = JsonSerializer.Deserialize(value, WireJson.Default.RecommendationList);
            if (list?.RequestId == request.RequestId)
                return list;
        }

        return null;
    }

    private static async Task PrintAsync(RecommendationList list, Connections stores, bool explain, CancellationToken ct)
    {
        System.Console.WriteLine($"model {list.ModelVersion}, {list.Items.Count} items for {list.UserId}");
        var table = new Table().AddColumns("rank", "item", "title", "score");
        if (explain)
            table.AddColumns("channel", "reason");
        var titles = await stores.Graph.TitlesAsync(list.Items.SelectMany(i => i.Evidence.Prepend(i.ItemId)), ct);
        foreach (var item in list.Items)
        {
            var title = titles.GetValueOrDefault(item.ItemId, "");
            List<string> row =
            [
                item.Rank.ToString(CultureInfo.InvariantCulture),
                item.ItemId,
                title,
                item.Score.ToString("0.000", CultureInfo.InvariantCulture),
            ];
            if (explain)
                row.AddRange([item.Channel, ReasonOf(item, titles)]);
            table.AddRow([.. row.Select(cell => new Markup(Markup.Escape(cell)))]);
        }

        AnsiConsole.Write(table);
    }

    /// <summary>On the topic a reason ends with the ids of the items it rests on; a person wants to know what they are.</summary>
    private static string ReasonOf(RecommendedItem item, IReadOnlyDictionary<string, string> titles)
    {
        var ids = string.Join(", ", item.Evidence);
        return item.Reason.EndsWith(ids, StringComparison.Ordinal)
            ? item.Reason[..^ids.Length] + string.Join(", ", item.Evidence.Select(id => RecommendExplanation.Named(id, titles.GetValueOrDefault(id))))
            : item.Reason;
    }
}
