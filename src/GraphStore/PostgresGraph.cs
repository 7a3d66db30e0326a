using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// The graph in Postgres: the truth about users, items, interactions and edges, and about how far the log is consumed.
/// Thread-safe. Several processes may write at once: each partition's offset row fences whoever no longer owns it.
/// Names are unqualified, so the connection's <c>Search Path</c> chooses the schema.
/// </summary>
/// <remarks>An event's identity is (user, time, event id). Files by verb: Migrate, Apply, Catalogue, Read, Snapshot, Digest, Erase, Partitions.</remarks>
public sealed partial class PostgresGraph
{
    private readonly NpgsqlDataSource _dataSource;
    private readonly EventTypes _types;
    private readonly ILogger _log;
    private readonly KeyCache _keys;

    /// <param name="dataSource">Kept by the caller, who disposes it.</param>
    /// <param name="types">Evidence weights for the fold into edges; the default types where null.</param>
    /// <param name="loggers">Where retries and partitions are logged.</param>
    public PostgresGraph(NpgsqlDataSource dataSource, EventTypes? types = null, ILoggerFactory? loggers = null)
    {
        _dataSource = dataSource;
        _types = types ?? EventTypes.Default;
        _log = (loggers ?? NullLoggerFactory.Instance).CreateLogger<PostgresGraph>();
        _keys = new KeyCache(KeyCache.DefaultCapacity);
    }

    /// <summary>Users and items whose keys are remembered; for memory accounting.</summary>
    public int CachedKeys => _keys.Count;

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellation) => await _dataSource.OpenConnectionAsync(cancellation);
}
