using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StreamRec.Local;

/// <summary>Which broker to start.</summary>
public enum KafkaChoice
{
    /// <summary>STREAMREC_KAFKA_BOOTSTRAP, else Docker, else STREAMREC_KAFKA_HOME, else the in-process broker.</summary>
    Auto,

    /// <summary>As <see cref="Auto"/>, but an error instead of the in-process broker.</summary>
    Real,

    /// <summary>Always librdkafka's in-process broker: memory only, gone with this process.</summary>
    InProcess,
}

/// <summary>The servers a start is asked for.</summary>
[Flags]
public enum ServerKinds
{
    None = 0,
    Postgres = 1,
    Redis = 2,
    Kafka = 4,
    All = Postgres | Redis | Kafka,
}

/// <summary>A topic to create.</summary>
/// <param name="Name">Full name, prefix included.</param>
/// <param name="Partitions">Partition count.</param>
/// <param name="Config">Broker-side topic settings such as <c>cleanup.policy</c>; the in-process broker has none and ignores them.</param>
public sealed record LocalTopic(string Name, int Partitions, IReadOnlyDictionary<string, string>? Config = null);

/// <summary>How private servers are started.</summary>
public sealed record LocalServersOptions
{
    /// <summary>
    /// Folder of this set of servers: data, logs, pid files. One set per folder; take <see cref="LocalPaths.NewRunFolder"/>.
    /// Folders of killed runs beside it are cleaned up by the start.
    /// </summary>
    public required string Root { get; init; }

    /// <summary>Which servers to start. Default all.</summary>
    public ServerKinds Servers { get; init; } = ServerKinds.All;

    /// <summary>Which broker. Default <see cref="KafkaChoice.Auto"/>.</summary>
    public KafkaChoice Kafka { get; init; } = KafkaChoice.Auto;

    /// <summary>Whether data outlives the servers. Default false: <see cref="Root"/> is removed on dispose.</summary>
    public bool KeepData { get; init; }

    /// <summary>
    /// Whether STREAMREC_POSTGRES, STREAMREC_REDIS and STREAMREC_KAFKA_BOOTSTRAP name servers to use instead of private ones.
    /// Default true. Such servers are never stopped. Fault tests set false, because they kill what they start.
    /// </summary>
    public bool UseExternal { get; init; } = true;

    /// <summary>Limit for each server to answer its health check. Default 60 s: a first initdb on a busy machine takes several.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Java heap of a real broker. Default 512m.</summary>
    public string KafkaHeap { get; init; } = "512m";

    /// <summary>Broker properties on top of the defaults, e.g. <c>log.retention.check.interval.ms</c>. Real broker only.</summary>
    public IReadOnlyDictionary<string, string> KafkaSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>Postgres settings on top of the defaults (durable: fsync and synchronous_commit are on).</summary>
    public IReadOnlyDictionary<string, string> PostgresSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>Where progress is logged.</summary>
    public ILogger Log { get; init; } = NullLogger.Instance;
}

/// <summary>A server could not be started; the message says which, why, and what to do.</summary>
public sealed class LocalServerException : Exception
{
    public LocalServerException(string message) : base(message) { }
    public LocalServerException(string message, Exception inner) : base(message, inner) { }
}
