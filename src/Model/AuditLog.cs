using Npgsql;
using NpgsqlTypes;

namespace StreamRec.Model;

/// <summary>Who did what, when: one row per ops action, written in the transaction of the action where there is one. Thread-safe.</summary>
public sealed class AuditLog(NpgsqlDataSource source)
{
    /// <summary>A row of its own, for actions outside the registry's tables (a schedule was paused, a person erased).</summary>
    public async Task WriteAsync(string who, string action, string subject, string? detail, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await WriteAsync(connection, null, who, action, subject, ("detail", detail), default, ct);
    }

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<AuditEntry>> ListAsync(int limit, CancellationToken ct)
    {
        await using var command = source.CreateCommand("select id, at, who, action, subject, detail from audit order by id desc limit $1");
        command.Parameters.Add(new() { Value = limit });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var entries = new List<AuditEntry>();
        while (await reader.ReadAsync(ct))
        {
            entries.Add(new AuditEntry(
                reader.GetInt64(0),
                reader.GetFieldValue<DateTimeOffset>(1),
                reader.GetString(2),
                reader.GetString(3),
                reader.GetString(4),
                reader.GetString(5)));
        }

        return entries;
    }

    internal static async Task WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string who, string action, string subject,
        (string Key, string? Value) first, (string Key, string? Value) second, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            "insert into audit (who, action, subject, detail) values ($1, $2, $3, $4)", connection, transaction);
        command.Parameters.Add(new() { Value = who });
        command.Parameters.Add(new() { Value = action });
        command.Parameters.Add(new() { Value = subject });
        command.Parameters.Add(new() { Value = RegistryJson.Detail([first, second]), NpgsqlDbType = NpgsqlDbType.Jsonb });
        await command.ExecuteNonQueryAsync(ct);
    }
}
