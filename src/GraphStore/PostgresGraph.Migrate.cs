using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace StreamRec.GraphStore;

public sealed partial class PostgresGraph
{
    /// <summary>
    /// Brings the schema up to date: the embedded <c>Migrations/NNNN_name.sql</c> in order, each in one transaction, under an
    /// advisory lock, so any number of processes may call it at once. Idempotent. Creates the search path's first schema if it is missing.
    /// </summary>
    /// <exception cref="InvalidOperationException">An applied migration's text has changed since.</exception>
    public async Task MigrateAsync(CancellationToken cancellation = default)
    {
        await using var connection = await OpenAsync(cancellation);
        await EnsureSchemaAsync(connection, cancellation);
        foreach (var (name, sql) in Migrations())
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await ExecuteAsync(connection, "select pg_advisory_xact_lock(hashtextextended(current_schema() || '.migrations', 0))", cancellation);
            await ExecuteAsync(connection, """
                create table if not exists schema_migrations
                    (name text primary key, sha256 text not null, applied_at timestamptz not null default now())
                """, cancellation);
            if (!await IsAppliedAsync(connection, name, sql, cancellation))
            {
                await ExecuteAsync(connection, sql, cancellation);
                await using var insert = new NpgsqlCommand("insert into schema_migrations (name, sha256) values ($1, $2)", connection);
                insert.Parameters.Add(new() { Value = name });
                insert.Parameters.Add(new() { Value = Hash(sql) });
                await insert.ExecuteNonQueryAsync(cancellation);
                Log.Migrated(_log, name);
            }

            await transaction.CommitAsync(cancellation);
        }
    }

    private static IEnumerable<(string Name, string Sql)> Migrations()
    {
        var assembly = typeof(PostgresGraph).Assembly;
        const string prefix = "StreamRec.GraphStore.Migrations.";
        foreach (var resource in assembly.GetManifestResourceNames().Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
            yield return (resource[prefix.Length..], Read(assembly, resource));
    }

    private static string Read(Assembly assembly, string resource)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static string Hash(string sql) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql.ReplaceLineEndings("\n"))));

    private static async Task<bool> IsAppliedAsync(NpgsqlConnection connection, string name, string sql, CancellationToken cancellation)
    {
        await using var query = new NpgsqlCommand("select sha256 from schema_migrations where name = $1", connection);
        query.Parameters.Add(new() { Value = name });
        if (await query.ExecuteScalarAsync(cancellation) is not string applied)
            return false;
        return applied == Hash(sql)
            ? true
            : throw new InvalidOperationException(
                $"migration {name} was applied with other text (sha256 {applied}, here {Hash(sql)}): migrations are never edited, add a new one");
    }

    private static async Task EnsureSchemaAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var query = new NpgsqlCommand("select current_schema(), current_setting('search_path')", connection);
        string path;
        await using (var row = await query.ExecuteReaderAsync(cancellation))
        {
            await row.ReadAsync(cancellation);
            if (!await row.IsDBNullAsync(0, cancellation))
                return;
            path = row.GetString(1);
        }

        var schema = path.Split(',')[0].Trim().Trim('"');
        await ExecuteAsync(
            connection,
            string.Create(
                CultureInfo.InvariantCulture, $"create schema if not exists \"{schema.Replace("\"", "\"\"", StringComparison.Ordinal)}\""),
            cancellation);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }
}
