using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

public sealed partial class PostgresGraph
{
    private const string UpsertItemSql = """
        insert into items as item (item_id, title, text, categories, attributes, available, published_at, withdrawn_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, null, now())
        on conflict (item_id) do update set title = excluded.title, text = excluded.text, categories = excluded.categories,
            attributes = excluded.attributes, available = excluded.available, published_at = excluded.published_at,
            withdrawn_at = null, updated_at = now()
        """;

    // An item may be withdrawn before its first interaction makes it known: it must not come in as available then.
    private const string WithdrawItemSql = """
        insert into items as item (item_id, available, withdrawn_at) values ($1, false, now())
        on conflict (item_id) do update set available = false, withdrawn_at = coalesce(item.withdrawn_at, now()), updated_at = now()
        """;

    private const string UpsertUserSql = """
        insert into users (user_id, attributes, updated_at, erased_ms) values ($1, $2, now(), erased_ms($1))
        on conflict (user_id) do update set attributes = excluded.attributes, updated_at = now()
        """;

    /// <summary>
    /// Applies a stretch of items.v1 and moves its offset in one transaction and one round trip. A tombstone withdraws the item:
    /// its history stays, no list shows it. Of several records for one item the last wins. Retried like <see cref="ApplyAsync"/>.
    /// </summary>
    /// <exception cref="FencedException">Another consumer owns the partition.</exception>
    public Task<ApplyResult> ItemsAsync(CatalogueBatch<ItemRecord> batch, CancellationToken cancellation = default)
    {
        var commands = Newest(batch.Records).Select(r => r.Record is null ? Command(WithdrawItemSql, Text(r.Id)) : Upsert(r.Record));
        return CommitAsync(batch, [.. commands], cancellation);
    }

    /// <summary>
    /// Applies a stretch of users.v1. A tombstone erases the person everywhere in Postgres (see <see cref="EraseAsync"/>), each in
    /// a transaction of its own before the offset moves: an erase repeated after a crash finds nothing left to do.
    /// </summary>
    /// <param name="batch">The stretch.</param>
    /// <param name="erased">Carries an erase on in Redis and elsewhere; awaited before the offset moves, repeated after a crash.</param>
    /// <param name="cancellation">Stops before the commit.</param>
    /// <exception cref="FencedException">Another consumer owns the partition.</exception>
    public async Task UsersAsync(CatalogueBatch<UserRecord> batch, Func<EraseProof, Task>? erased = null, CancellationToken cancellation = default)
    {
        foreach (var record in batch.Records.Where(r => r.Record is null).Reverse().DistinctBy(r => r.Id)) // the newest of each
        {
            var at = record.LoggedMs == 0 ? (DateTimeOffset?)null : DateTimeOffset.FromUnixTimeMilliseconds(record.LoggedMs);
            var proof = await PersistAsync(
                batch.Topic, batch.Partition, batch.ExpectedOffset, _ => EraseAsync(record.Id, at, cancellation: cancellation), cancellation);
            if (erased is not null)
                await erased(proof);
        }

        var commands = Newest(batch.Records).Where(r => r.Record is not null)
            .Select(r => Command(UpsertUserSql, Text(r.Id), Json(r.Record!.Attributes)));
        await CommitAsync(batch, [.. commands], cancellation);
    }

    private Task<ApplyResult> CommitAsync<T>(CatalogueBatch<T> batch, IReadOnlyList<NpgsqlBatchCommand> commands, CancellationToken cancellation)
        where T : class
    {
        var result = new ApplyResult(batch.Records.Count, 0, null);
        return RetryAsync(batch.Topic, batch.Partition, batch.ExpectedOffset, batch.NextOffset, Once, _ => Task.FromResult(result), cancellation);

        async Task<ApplyResult> Once(CancellationToken token)
        {
            await using var connection = await OpenAsync(token);
            await using var statements = new NpgsqlBatch(connection);
            statements.BatchCommands.Add(Advance(batch.Topic, batch.Partition, batch.ExpectedOffset, batch.NextOffset, null));
            if (batch.DeadLetters.Count > 0)
                statements.BatchCommands.Add(CountDeadLetters(batch.Topic, batch.Partition, batch.DeadLetters));
            foreach (var command in commands)
            {
                var copy = new NpgsqlBatchCommand(command.CommandText); // a retry needs parameters of its own
                foreach (NpgsqlParameter parameter in command.Parameters)
                    copy.Parameters.Add(parameter.Clone());
                statements.BatchCommands.Add(copy);
            }

            var count = new NpgsqlBatchCommand("update ingest_offsets set applied = applied + $3 where topic = $1 and partition = $2");
            count.Parameters.Add(Text(batch.Topic));
            count.Parameters.Add(new() { Value = batch.Partition });
            count.Parameters.Add(new() { Value = (long)batch.Records.Count });
            statements.BatchCommands.Add(count);
            await statements.ExecuteNonQueryAsync(token);
            return result;
        }
    }

    /// <summary>The last record of each id, in order of id so that two transactions lock rows in one order.</summary>
    private static List<Keyed<T>> Newest<T>(IReadOnlyList<Keyed<T>> records)
        where T : class
    {
        var newest = new SortedDictionary<string, Keyed<T>>(StringComparer.Ordinal);
        foreach (var record in records)
            newest[record.Id] = record;
        return [.. newest.Values];
    }

    private static NpgsqlBatchCommand Upsert(ItemRecord item) => Command(
        UpsertItemSql,
        Text(item.ItemId),
        Text(Clean(item.Title)),
        new NpgsqlParameter { Value = (object?)Clean(item.Text) ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
        new NpgsqlParameter { Value = item.Categories.Select(c => Clean(c)!).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
        Json(item.Attributes),
        new NpgsqlParameter { Value = item.Available },
        new NpgsqlParameter { Value = (object?)item.PublishedAt?.ToUniversalTime() ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz });

    private static NpgsqlBatchCommand Command(string sql, params NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(parameter);
        return command;
    }

    private static NpgsqlParameter Text(string? text) => new() { Value = text ?? "", NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter Json(IReadOnlyDictionary<string, string> attributes) => new()
    {
        Value = JsonSerializer.Serialize(attributes.ToDictionary(a => Clean(a.Key)!, a => Clean(a.Value)!), AttributesJson.Default.DictionaryStringString),
        NpgsqlDbType = NpgsqlDbType.Jsonb,
    };

    /// <summary>Postgres text cannot hold U+0000.</summary>
    private static string? Clean(string? text) => text?.Replace("\0", "", StringComparison.Ordinal);
}

[System.Text.Json.Serialization.JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class AttributesJson : System.Text.Json.Serialization.JsonSerializerContext;
