using Npgsql;
using NpgsqlTypes;

namespace StreamRec.Model;

/// <summary>
/// Training runs as rows: asked for, claimed by one trainer, ended. A unique partial index allows one running row in the installation, whatever
/// the number of trainers; a claimed run whose trainer has died is failed by the next claim. Thread-safe.
/// </summary>
public sealed class TrainRuns(NpgsqlDataSource source)
{
    private const string Columns =
        "run_id, status, reason, requested_by, fine_tune, requested_at, started_at, heartbeat_at, ended_at, "
        + "claimed_by, stage, fraction, metrics, version, error";

    /// <summary>Writes the request; the same run id again is a no-op (a message may come twice). False: it was there.</summary>
    public async Task<bool> RequestAsync(Guid runId, string reason, bool fineTune, string requestedBy, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var insert = new NpgsqlCommand(
            """
            insert into train_runs (run_id, status, reason, requested_by, fine_tune) values ($1, 'requested', $2, $3, $4)
            on conflict (run_id) do nothing
            """, connection, transaction);
        insert.Parameters.Add(new() { Value = runId });
        insert.Parameters.Add(new() { Value = reason });
        insert.Parameters.Add(new() { Value = requestedBy });
        insert.Parameters.Add(new() { Value = fineTune });
        if (await insert.ExecuteNonQueryAsync(ct) == 0)
            return false;
        await AuditLog.WriteAsync(connection, transaction, requestedBy, "train.request", runId.ToString(), ("reason", reason), default, ct);
        await transaction.CommitAsync(ct);
        return true;
    }

    /// <summary>
    /// Claims the oldest waiting run for <paramref name="owner"/>, or null when none waits or another one runs. A running row without a heartbeat
    /// for <paramref name="deadAfter"/> is failed first: its trainer is gone.
    /// </summary>
    public async Task<TrainRun?> ClaimAsync(string owner, TimeSpan deadAfter, CancellationToken ct)
    {
        await using (var bury = source.CreateCommand(
            """
            update train_runs set status = 'failed', ended_at = now(), error = 'no heartbeat of ' || coalesce(claimed_by, '?') || ' since ' || heartbeat_at
            where status = 'running' and heartbeat_at < now() - $1
            """))
        {
            bury.Parameters.Add(new() { Value = deadAfter });
            await bury.ExecuteNonQueryAsync(ct);
        }

        await using var claim = source.CreateCommand(
            $"""
            update train_runs set status = 'running', claimed_by = $1, started_at = now(), heartbeat_at = now()
            where run_id = (select run_id from train_runs where status = 'requested' order by requested_at, run_id limit 1 for update skip locked)
              and not exists (select from train_runs where status = 'running')
            returning {Columns}
            """);
        claim.Parameters.Add(new() { Value = owner });
        try
        {
            return (await ReadAsync(claim, ct)).SingleOrDefault();
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return null; // another trainer claimed another run in the same moment; the index let only one through
        }
    }

    /// <summary>Progress and sign of life. False: the run is no longer ours to run (ended, cancelled, or buried as dead): stop.</summary>
    /// <param name="runId">The claimed run.</param>
    /// <param name="stage">Such as <c>snapshot</c>, <c>train</c>, <c>evaluate</c>.</param>
    /// <param name="fraction">0..1.</param>
    /// <param name="metrics">Newest values; replaces the former ones.</param>
    /// <param name="ct">Cancels the statement.</param>
    public async Task<bool> ProgressAsync(Guid runId, string stage, double fraction, IReadOnlyDictionary<string, double> metrics, CancellationToken ct)
    {
        await using var command = source.CreateCommand(
            "update train_runs set stage = $2, fraction = $3, metrics = $4, heartbeat_at = now() where run_id = $1 and status = 'running'");
        command.Parameters.Add(new() { Value = runId });
        command.Parameters.Add(new() { Value = stage });
        command.Parameters.Add(new() { Value = fraction });
        command.Parameters.Add(new() { Value = RegistryJson.Metrics(metrics), NpgsqlDbType = NpgsqlDbType.Jsonb });
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>Ends a requested or running run. False: it had ended already.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="status">succeeded, rejected, failed or cancelled.</param>
    /// <param name="version">The model it registered, if any.</param>
    /// <param name="error">Why it was rejected or failed.</param>
    /// <param name="ct">Cancels the statement.</param>
    public async Task<bool> EndAsync(Guid runId, string status, long? version, string? error, CancellationToken ct)
    {
        if (status is RunStatus.Requested or RunStatus.Running)
            throw new ArgumentException($"a run does not end as '{status}'", nameof(status));
        await using var command = source.CreateCommand(
            """
            update train_runs set status = $2, version = $3, error = $4, ended_at = now(), fraction = case when $2 = 'succeeded' then 1 else fraction end
            where run_id = $1 and status in ('requested', 'running')
            """);
        command.Parameters.Add(new() { Value = runId });
        command.Parameters.Add(new() { Value = status });
        command.Parameters.Add(new() { Value = (object?)version ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint });
        command.Parameters.Add(new() { Value = (object?)error ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    public async Task<TrainRun?> FindAsync(Guid runId, CancellationToken ct)
    {
        await using var command = source.CreateCommand($"select {Columns} from train_runs where run_id = $1");
        command.Parameters.Add(new() { Value = runId });
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>The running run, or null.</summary>
    public async Task<TrainRun?> ActiveAsync(CancellationToken ct)
    {
        await using var command = source.CreateCommand($"select {Columns} from train_runs where status = 'running'");
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<TrainRun>> ListAsync(int limit, CancellationToken ct)
    {
        await using var command = source.CreateCommand($"select {Columns} from train_runs order by requested_at desc, run_id limit $1");
        command.Parameters.Add(new() { Value = limit });
        return await ReadAsync(command, ct);
    }

    private static async Task<List<TrainRun>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var runs = new List<TrainRun>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            runs.Add(new TrainRun(
                reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetBoolean(4),
                reader.GetFieldValue<DateTimeOffset>(5), Time(reader, 6), Time(reader, 7), Time(reader, 8),
                reader.IsDBNull(9) ? null : reader.GetString(9), reader.GetString(10), reader.GetDouble(11), RegistryJson.Metrics(reader.GetString(12)),
                reader.IsDBNull(13) ? null : reader.GetInt64(13), reader.IsDBNull(14) ? null : reader.GetString(14)));
        }

        return runs;
    }

    private static DateTimeOffset? Time(NpgsqlDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : reader.GetFieldValue<DateTimeOffset>(column);
}
