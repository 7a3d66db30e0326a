using Microsoft.Extensions.Logging;
using Npgsql;
using StackExchange.Redis;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec;

/// <summary>The open stores of one process: Postgres pool, Redis connection and what is built on them. Disposing closes both.</summary>
public sealed class Connections : IAsyncDisposable
{
    private readonly NpgsqlDataSource _postgres;
    private readonly IConnectionMultiplexer _redis;

    private Connections(NpgsqlDataSource postgres, IConnectionMultiplexer redis, string keyPrefix, ILoggerFactory loggers)
    {
        (_postgres, _redis) = (postgres, redis);
        Graph = new PostgresGraph(postgres, EventTypes.Default, loggers);
        Redis = new RedisGraph(redis, keyPrefix, types: EventTypes.Default);
        Registry = new ModelRegistry(postgres);
    }

    public PostgresGraph Graph { get; }
    public RedisGraph Redis { get; }
    public ModelRegistry Registry { get; }

    /// <summary>Opens both stores and brings the schema up to date (idempotent, under an advisory lock).</summary>
    /// <exception cref="SettingsException">An address is missing, or Postgres does not answer; the message names the setting.</exception>
    public static async Task<Connections> OpenAsync(Settings settings, ILoggerFactory loggers, CancellationToken ct)
    {
        var postgres = settings.Postgres.ConnectionString
            ?? throw new SettingsException("postgres.connectionString is not set, STREAMREC_POSTGRES is not set, and no servers of 'streamrec up' are running");
        var redis = settings.Redis.ConnectionString
            ?? throw new SettingsException("redis.connectionString is not set, STREAMREC_REDIS is not set, and no servers of 'streamrec up' are running");
        var source = NpgsqlDataSource.Create(postgres);
        try
        {
            var options = ConfigurationOptions.Parse(redis);
            options.AbortOnConnectFail = false; // Redis is a view: a process starts and works without it
            var connections = new Connections(source, await ConnectionMultiplexer.ConnectAsync(options), settings.Redis.KeyPrefix, loggers);
            await connections.Graph.MigrateAsync(ct);
            return connections;
        }
        catch (NpgsqlException e) when (e is not PostgresException)
        {
            await source.DisposeAsync();
            throw new SettingsException($"postgres.connectionString '{new NpgsqlConnectionStringBuilder(postgres) { Password = null }}': {e.Message}", e);
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _redis.Dispose();
        await _postgres.DisposeAsync();
    }
}
