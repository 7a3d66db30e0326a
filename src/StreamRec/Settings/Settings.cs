using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Ingest;
using StreamRec.Scorer;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;

namespace StreamRec;

/// <summary>
/// Everything that can be set, with the defaults in place. Read from <c>streamrec.json</c> (which documents every field) and then from
/// environment variables <c>STREAMREC__SECTION__FIELD</c>; see <see cref="SettingsReader"/>.
/// </summary>
public sealed record Settings
{
    public KafkaSettings Kafka { get; init; } = new();
    public PostgresSettings Postgres { get; init; } = new();
    public RedisSettings Redis { get; init; } = new();
    public ControlSettings Control { get; init; } = new();
    public HttpSettings Http { get; init; } = new();
    public TextOptions Text { get; init; } = new();
    public IngestOptions Ingest { get; init; } = new() { BootstrapServers = "" };
    public ScorerOptions Scorer { get; init; } = new() { BootstrapServers = "" };
    public TrainerOptions Trainer { get; init; } = new();

    /// <summary>The role options with the shared values filled in, so that each address stands in one place only.</summary>
    public Settings Resolved()
    {
        var bootstrap = Kafka.BootstrapServers ?? "";
        var topics = new Topics { Prefix = Kafka.TopicPrefix };
        return this with
        {
            Ingest = Ingest with { BootstrapServers = bootstrap, Topics = topics },
            Scorer = Scorer with { BootstrapServers = bootstrap, Topics = topics },
        };
    }

    /// <summary>All topics under the configured prefix.</summary>
    public Topics Topics => new() { Prefix = Kafka.TopicPrefix };
}

/// <summary>Where the log is.</summary>
public sealed record KafkaSettings
{
    /// <summary>host:port of the brokers. Null: <c>STREAMREC_KAFKA_BOOTSTRAP</c>, else the servers started by <c>streamrec up</c>.</summary>
    public string? BootstrapServers { get; init; }

    /// <summary>In front of every topic name. Default <c>streamrec.</c>.</summary>
    public string TopicPrefix { get; init; } = "streamrec.";
}

/// <summary>Where the graph is.</summary>
public sealed record PostgresSettings
{
    /// <summary>
    /// Npgsql connection string; its Search Path picks the schema. Null:
    /// <c>STREAMREC_POSTGRES</c>, else the servers started by <c>streamrec up</c>.
    /// </summary>
    public string? ConnectionString { get; init; }
}

/// <summary>Where the shared hot view is.</summary>
public sealed record RedisSettings
{
    /// <summary>StackExchange.Redis configuration string. Null: <c>STREAMREC_REDIS</c>, else the servers started by <c>streamrec up</c>.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>In front of every key. Default <c>streamrec:</c>.</summary>
    public string KeyPrefix { get; init; } = "streamrec:";
}

/// <summary>When the model is retrained, and how processes tell each other.</summary>
public sealed record ControlSettings
{
    /// <summary>Retrain this often. Default 24 h; zero switches the trigger off.</summary>
    public TimeSpan TrainEvery { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Retrain after this many new events. Default 1,000,000; zero switches the trigger off.</summary>
    public long TrainAfterEvents { get; init; } = 1_000_000;

    /// <summary>Whether triggered runs start from the champion's weights, where there is one. Default true.</summary>
    public bool FineTune { get; init; } = true;

    /// <summary>How often the triggers are looked at and waiting runs are polled for. Default 1 s.</summary>
    public TimeSpan Poll { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A running training without a sign of life for this long is failed and may be claimed anew. Default 2 min.</summary>
    public TimeSpan DeadAfter { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary><c>amqp://user:password@host/vhost</c>. Null: messages stay in the process, enough when all roles run in one.</summary>
    public string? RabbitMq { get; init; }
}

/// <summary>The HTTP API, page, health and metrics.</summary>
public sealed record HttpSettings
{
    /// <summary>Where to listen. Default loopback only; port 0 takes a free one.</summary>
    public string Url { get; init; } = "http://127.0.0.1:5080";
}
