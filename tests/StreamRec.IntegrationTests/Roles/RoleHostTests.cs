using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.IntegrationTests.Ingest;
using StreamRec.IntegrationTests.Trainer;
using StreamRec.Model;
using StreamRec.Roles;
using StreamRec.Trainer.Text;
using Xunit;

namespace StreamRec.IntegrationTests.Roles;

/// <summary>Every role in one process, from an event on a topic to a list by a trained model on a topic.</summary>
public sealed class RoleHostTests(Servers servers) : IDisposable
{
    private const int Users = 60, Events = 1_200;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streamrec-roles-");

    private readonly IProducer<string, byte[]> _producer = new ProducerBuilder<string, byte[]>(new ProducerConfig
    {
        BootstrapServers = servers.Kafka, Partitioner = Partitioner.Murmur2Random,
    }).SetLogHandler((_, _) => { }).Build();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _producer.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Events_in_a_model_trained_by_volume_and_announced_lists_by_it_out_and_no_second_run_after_a_restart()
    {
        var topics = await servers.NewTopicsAsync(ct: Ct);
        var settings = await SettingsAsync(topics);
        long version;
        await using (var host = await RoleHost.StartAsync(settings, RoleSet.All & ~RoleSet.Console, NullLoggerFactory.Instance, Ct))
        {
            await SendEventsAsync(topics);
            var announced = await AnnouncedAsync(topics);
            Assert.Equal(ModelStatus.Champion, announced.Status);
            Assert.True(announced.Metrics["ndcg_10"] > announced.Metrics["popularity_ndcg_10"]);
            version = (await host.Stores.Registry.ChampionAsync(settings.Trainer.ModelName, Ct))!.Version;
            Assert.Equal(version, announced.Version);
            await Harness.UntilAsync("the scorer serves it", () => Task.FromResult(host.Scorer!.Stats.ModelVersion == version));
            await SendAsync(topics.Requests, "u1", Json.Encode(new RecommendationRequest { RequestId = "r1", UserId = "u1", K = 5 }));
            var list = await AnswerAsync(topics, "r1");
            Assert.Equal((version, 5), (list.ModelVersion, list.Items.Count));
            await ExplanationsNameTitlesAsync(settings);
        }

        await using var again = await RoleHost.StartAsync(settings, RoleSet.Trainer, NullLoggerFactory.Instance, Ct);
        await Harness.UntilAsync("the volume trigger has looked", () => Task.FromResult(again.Triggers!.NextVolume > settings.Control.TrainAfterEvents));
        var runs = await again.Stores.Registry.Runs.ListAsync(10, Ct);
        Assert.Equal(Events / (int)settings.Control.TrainAfterEvents, runs.Count);
    }

    private async Task<Settings> SettingsAsync(Topics topics)
    {
        var source = await servers.NewSchemaAsync(ct: Ct);
        var schema = new Npgsql.NpgsqlConnectionStringBuilder(servers.Postgres)
        {
            SearchPath = new Npgsql.NpgsqlConnectionStringBuilder(source.ConnectionString).SearchPath,
        };
        var defaults = new Settings();
        return defaults with
        {
            Kafka = new KafkaSettings { BootstrapServers = servers.Kafka, TopicPrefix = topics.Prefix },
            Postgres = new PostgresSettings { ConnectionString = schema.ConnectionString },
            Redis = new RedisSettings { ConnectionString = servers.Redis, KeyPrefix = servers.NewRedisPrefix() },
            Http = new HttpSettings { Url = "http://127.0.0.1:0" },
            Control = new ControlSettings { TrainAfterEvents = Events, TrainEvery = TimeSpan.Zero, Poll = TimeSpan.FromMilliseconds(100) },
            Ingest = defaults.Ingest with { GroupId = servers.NewGroup() },
            Scorer = defaults.Scorer with { GroupId = servers.NewGroup(), ArtifactRoot = _folder.FullName, Debounce = TimeSpan.FromMilliseconds(50) },
            Text = new TextOptions
            {
                Folder = Path.Combine(_folder.FullName, "text"),
                Pretrain = new PretrainOptions { Steps = 4, HiddenSize = 16, VocabularySize = 100 },
            },
            Trainer = TrainerWorkerTests.Options(_folder.FullName),
        };
    }

    /// <summary>The verb, in a terminal's form and as JSON: each item with its title, in all three places.</summary>
    private static async Task ExplanationsNameTitlesAsync(Settings settings)
    {
        string[] own =
        [
            $"POSTGRES__CONNECTIONSTRING={settings.Postgres.ConnectionString}", $"REDIS__CONNECTIONSTRING={settings.Redis.ConnectionString}",
            $"REDIS__KEYPREFIX={settings.Redis.KeyPrefix}",
            $"KAFKA__BOOTSTRAPSERVERS={settings.Kafka.BootstrapServers}", $"KAFKA__TOPICPREFIX={settings.Kafka.TopicPrefix}",
        ];
        static string TitleOf(string id) => "item " + id[1..];
        var lines = (await Verb.RunAsync(own, "recommend", "u1", "--k", "3", "--explain", "--neighbours", "--timeout", "60", "--json")).Split('\n', 2);
        using var list = JsonDocument.Parse(lines[0]);
        using var explanations = JsonDocument.Parse(lines[1]);
        Assert.Equal(list.RootElement.GetProperty("items").EnumerateArray().Select(Id), explanations.RootElement.EnumerateArray().Select(Id));
        foreach (var e in explanations.RootElement.EnumerateArray())
        {
            JsonElement[] named = [e, .. e.GetProperty("events").EnumerateArray(), .. e.GetProperty("neighbours").EnumerateArray()];
            Assert.True(named.Length > 2);
            Assert.All(named, n => Assert.Equal(TitleOf(Id(n)), n.GetProperty("title").GetString()));
        }

        var said = await Verb.RunAsync(own, "recommend", "u1", "--k", "3", "--explain", "--timeout", "60");
        Assert.All(explanations.RootElement.EnumerateArray(), e => Assert.Contains($"{Id(e)} \"{TitleOf(Id(e))}\"", said, StringComparison.Ordinal));

        static string Id(JsonElement e) => e.GetProperty("item_id").GetString()!;
    }

    /// <summary>Users who walk along rings of items: learnable, and not by popularity.</summary>
    private async Task SendEventsAsync(Topics topics)
    {
        for (var i = 0; i < TrainerWorkerTests.Items; i++)
            await SendAsync(topics.Items, "i" + i, Json.Encode(new ItemRecord { ItemId = "i" + i, Title = $"item {i}" }));
        var random = new Random(1);
        var sent = new List<Task>();
        for (var k = 0; k < Events; k++)
        {
            var (user, step) = (k % Users, k / Users);
            var item = TrainerWorkerTests.ItemOf(user, step, random);
            var json = $$"""{"event_id":"e{{k}}","user_id":"u{{user}}","item_id":"i{{item}}","type":"like","time":{{1_700_000_000_000 + (k * 60_000L)}}}""";
            sent.Add(SendAsync(topics.Interactions, "u" + user, Encoding.UTF8.GetBytes(json)));
        }

        await Task.WhenAll(sent);
    }

    private Task<DeliveryResult<string, byte[]>> SendAsync(string topic, string key, byte[] value) =>
        _producer.ProduceAsync(topic, new Message<string, byte[]> { Key = key, Value = value }, Ct);

    private Task<ModelAnnouncement> AnnouncedAsync(Topics topics) => ReadAsync(topics.Models, value =>
        Json.TryDecode(value, out ModelAnnouncement? model, out _, out _) ? model : null);

    private Task<RecommendationList> AnswerAsync(Topics topics, string request) => ReadAsync(topics.Recommendations, value =>
        Json.TryDecode(value, out RecommendationList? list, out _, out _) && list.RequestId == request ? list : null);

    /// <summary>Reads a topic from its start until a value is the one looked for.</summary>
    private Task<T> ReadAsync<T>(string topic, Func<byte[], T?> wanted)
        where T : class => Task.Run(
        () =>
        {
            var config = new ConsumerConfig
            {
                BootstrapServers = servers.Kafka,
                GroupId = servers.NewGroup(),
                AutoOffsetReset = AutoOffsetReset.Earliest,
                EnableAutoCommit = false,
            };
            using var consumer = new ConsumerBuilder<Ignore, byte[]>(config).SetLogHandler((_, _) => { }).Build();
            consumer.Subscribe(topic);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
            limit.CancelAfter(TimeSpan.FromMinutes(2));
            try
            {
                while (true)
                {
                    if (consumer.Consume(limit.Token).Message.Value is { } value && wanted(value) is { } found)
                        return found;
                }
            }
            finally
            {
                consumer.Close();
            }
        }, Ct);
}
