using System.Globalization;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;

namespace StreamRec.Model;

/// <summary>
/// Which model versions exist and which one serves. Rows in Postgres (migration 0002_models); each method is one transaction and one or two round
/// trips. The order that keeps a reader safe is the caller's: artifact written → <see cref="RegisterAsync"/> → <see cref="PromoteAsync"/> →
/// message. Every change of status leaves an audit row in the same transaction. Thread-safe.
/// </summary>
public sealed class ModelRegistry
{
    private const string Columns = "version, name, status, parent, digest, path, manifest, metrics, created_at, promoted_at";
    private readonly NpgsqlDataSource _source;

    public ModelRegistry(NpgsqlDataSource source)
    {
        _source = source;
        Runs = new TrainRuns(source);
        Audit = new AuditLog(source);
    }

    public TrainRuns Runs { get; }

    public AuditLog Audit { get; }

    /// <summary>A version number nobody else gets; name the artifact directory by it before registering. Unused numbers leave gaps.</summary>
    public async Task<long> NextVersionAsync(CancellationToken ct)
    {
        await using var command = _source.CreateCommand("select nextval('model_versions')");
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Adds a written artifact. Registering the same version and digest again is a no-op, so that a retry is safe.</summary>
    /// <param name="manifest">As returned by <see cref="ModelArtifact.Write"/>.</param>
    /// <param name="path">Its directory.</param>
    /// <param name="status">candidate, rejected or failed; champions are made by <see cref="PromoteAsync"/> only.</param>
    /// <param name="by">Who, for the audit.</param>
    /// <param name="ct">Cancels the statement.</param>
    /// <exception cref="InvalidOperationException">The version is taken by another digest.</exception>
    public async Task RegisterAsync(ModelManifest manifest, string path, string status, string by, CancellationToken ct)
    {
        if (status is not (ModelStatus.Candidate or ModelStatus.Rejected or ModelStatus.Failed))
            throw new ArgumentException($"a model is registered as candidate, rejected or failed, not as '{status}'", nameof(status));
        await using var connection = await _source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var insert = new NpgsqlCommand(
            """
            insert into models (version, name, status, parent, digest, path, manifest, metrics, created_at)
            values ($1, $2, $3, (select version from models where version = $4), $5, $6, $7, $8, $9) on conflict (version) do nothing
            """, connection, transaction);
        insert.Parameters.Add(new() { Value = manifest.Version });
        insert.Parameters.Add(new() { Value = manifest.Name });
        insert.Parameters.Add(new() { Value = status });
        insert.Parameters.Add(new() { Value = (object?)manifest.ParentVersion ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint });
        insert.Parameters.Add(new() { Value = manifest.Digest });
        insert.Parameters.Add(new() { Value = path });
        insert.Parameters.Add(new() { Value = manifest.ToJson(), NpgsqlDbType = NpgsqlDbType.Jsonb });
        insert.Parameters.Add(new() { Value = RegistryJson.Metrics(manifest.Metrics), NpgsqlDbType = NpgsqlDbType.Jsonb });
        insert.Parameters.Add(new() { Value = manifest.CreatedAt.ToUniversalTime() });
        if (await insert.ExecuteNonQueryAsync(ct) == 0)
        {
            await using var check = new NpgsqlCommand("select digest from models where version = $1", connection, transaction);
            check.Parameters.Add(new() { Value = manifest.Version });
            var digest = (string)(await check.ExecuteScalarAsync(ct))!;
            if (digest != manifest.Digest)
                throw new InvalidOperationException($"model version {manifest.Version} is registered with digest {digest}, not {manifest.Digest}");
            return;
        }

        await AuditLog.WriteAsync(connection, transaction, by, "model.register", $"v{manifest.Version}", ("status", status), ("digest", manifest.Digest), ct);
        await transaction.CommitAsync(ct);
    }

    /// <summary>
    /// Makes a version champion and retires the old one, in one transaction: no moment has two champions or, to a reader, none.
    /// Promoting the champion again is a no-op.
    /// </summary>
    /// <returns>The version that served before, or null.</returns>
    /// <exception cref="InvalidOperationException">No such version, or it failed.</exception>
    public async Task<long?> PromoteAsync(long version, string by, CancellationToken ct)
    {
        await using var connection = await _source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, transaction, ct);
        var (name, status) = await NameAndStatusAsync(connection, transaction, version, ct)
            ?? throw new InvalidOperationException($"there is no model version {version}");
        if (status == ModelStatus.Failed)
            throw new InvalidOperationException($"model version {version} failed and cannot serve");
        var champion = await ChampionVersionAsync(connection, transaction, name, ct);
        if (champion == version)
            return champion;
        await SwapAsync(connection, transaction, champion, version, promotion: true, ct);
        await AuditLog.WriteAsync(
            connection, transaction, by, "model.promote", $"v{version}",
            ("from", champion?.ToString(CultureInfo.InvariantCulture)), ("was", status), ct);
        await transaction.CommitAsync(ct);
        return champion;
    }

    /// <summary>
    /// Puts back the version that the champion replaced when it was promoted; calling it again goes further back.
    /// </summary>
    /// <returns>(from, to).</returns>
    /// <exception cref="InvalidOperationException">There is no champion, or none before it.</exception>
    public async Task<(long From, long To)> RollbackAsync(string name, string by, CancellationToken ct)
    {
        await using var connection = await _source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, transaction, ct);
        var champion = await ChampionVersionAsync(connection, transaction, name, ct)
            ?? throw new InvalidOperationException($"model '{name}' has no champion to roll back from");
        await using var find = new NpgsqlCommand("select replaced from models where version = $1", connection, transaction);
        find.Parameters.Add(new() { Value = champion });
        var previous = await find.ExecuteScalarAsync(ct) as long?
            ?? throw new InvalidOperationException($"model '{name}' has no champion before v{champion} to roll back to");
        await SwapAsync(connection, transaction, champion, previous, promotion: false, ct);
        await AuditLog.WriteAsync(
            connection, transaction, by, "model.rollback", $"v{previous}",
            ("from", champion.ToString(CultureInfo.InvariantCulture)), ("name", name), ct);
        await transaction.CommitAsync(ct);
        return (champion, previous);
    }

    /// <summary>
    /// Marks a candidate rejected or failed after the fact (for example: a scorer
    /// cannot load it). A champion is left alone: promote or roll back first.
    /// </summary>
    /// <returns>False when the version is no candidate.</returns>
    public async Task<bool> MarkAsync(long version, string status, string by, string why, CancellationToken ct)
    {
        if (status is not (ModelStatus.Rejected or ModelStatus.Failed))
            throw new ArgumentException($"a candidate is marked rejected or failed, not '{status}'", nameof(status));
        await using var connection = await _source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var update = new NpgsqlCommand("update models set status = $2 where version = $1 and status = 'candidate'", connection, transaction);
        update.Parameters.Add(new() { Value = version });
        update.Parameters.Add(new() { Value = status });
        if (await update.ExecuteNonQueryAsync(ct) == 0)
            return false;
        await AuditLog.WriteAsync(connection, transaction, by, "model." + status, $"v{version}", ("why", why), ("status", status), ct);
        await transaction.CommitAsync(ct);
        return true;
    }

    /// <summary>The version in service, or null.</summary>
    public async Task<RegisteredModel?> ChampionAsync(string name, CancellationToken ct)
    {
        await using var command = _source.CreateCommand($"select {Columns} from models where name = $1 and status = 'champion'");
        command.Parameters.Add(new() { Value = name });
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>Just the champion's version (null: none): what a scorer polls. One index probe.</summary>
    public async Task<long?> ChampionVersionAsync(string name, CancellationToken ct)
    {
        await using var command = _source.CreateCommand("select version from models where name = $1 and status = 'champion'");
        command.Parameters.Add(new() { Value = name });
        return await command.ExecuteScalarAsync(ct) as long?;
    }

    public async Task<RegisteredModel?> FindAsync(long version, CancellationToken ct)
    {
        await using var command = _source.CreateCommand($"select {Columns} from models where version = $1");
        command.Parameters.Add(new() { Value = version });
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<RegisteredModel>> ListAsync(int limit, CancellationToken ct)
    {
        await using var command = _source.CreateCommand($"select {Columns} from models order by version desc limit $1");
        command.Parameters.Add(new() { Value = limit });
        return await ReadAsync(command, ct);
    }

    /// <summary>Promotions and rollbacks queue up behind each other; readers are not blocked.</summary>
    private static async Task LockAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("lock table models in share row exclusive mode", connection, transaction);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<(string Name, string Status)?> NameAndStatusAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, long version, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select name, status from models where version = $1", connection, transaction);
        command.Parameters.Add(new() { Value = version });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? (reader.GetString(0), reader.GetString(1)) : null;
    }

    private static async Task<long?> ChampionVersionAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string name, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select version from models where name = $1 and status = 'champion'", connection, transaction);
        command.Parameters.Add(new() { Value = name });
        return await command.ExecuteScalarAsync(ct) as long?;
    }

    private static async Task SwapAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, long? from, long to, bool promotion, CancellationToken ct)
    {
        if (from is { } old)
        {
            await using var retire = new NpgsqlCommand("update models set status = 'retired' where version = $1", connection, transaction);
            retire.Parameters.Add(new() { Value = old });
            await retire.ExecuteNonQueryAsync(ct);
        }

        var history = promotion ? ", promoted_at = now(), replaced = $2" : "";
        await using var promote = new NpgsqlCommand($"update models set status = 'champion'{history} where version = $1", connection, transaction);
        promote.Parameters.Add(new() { Value = to });
        if (promotion)
            promote.Parameters.Add(new() { Value = (object?)from ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint });
        await promote.ExecuteNonQueryAsync(ct);
    }

    private static async Task<List<RegisteredModel>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var models = new List<RegisteredModel>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var version = reader.GetInt64(0);
            models.Add(new RegisteredModel(
                version, reader.GetString(1), reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetInt64(3), reader.GetString(4),
                reader.GetString(5), ModelManifest.Parse(reader.GetString(6), $"models row v{version}"), RegistryJson.Metrics(reader.GetString(7)),
                reader.GetFieldValue<DateTimeOffset>(8), reader.IsDBNull(9) ? null : reader.GetFieldValue<DateTimeOffset>(9)));
        }

        return models;
    }
}

/// <summary>JSON columns of the registry.</summary>
internal static class RegistryJson
{
    public static string Metrics(IReadOnlyDictionary<string, double> metrics) =>
        JsonSerializer.Serialize(metrics, ModelJson.Default.IReadOnlyDictionaryStringDouble);

    public static IReadOnlyDictionary<string, double> Metrics(string json) =>
        JsonSerializer.Deserialize(json, ModelJson.Default.IReadOnlyDictionaryStringDouble) ?? new Dictionary<string, double>();

    public static string Detail(ReadOnlySpan<(string Key, string? Value)> pairs)
    {
        var detail = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in pairs)
        {
            if (value is not null)
                detail[key] = value;
        }

        return JsonSerializer.Serialize(detail, ModelJson.Default.SortedDictionaryStringString);
    }
}
