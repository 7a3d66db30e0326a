using Npgsql;
using NpgsqlTypes;

namespace StreamRec.GraphStore;

public sealed partial class PostgresGraph
{
    // New names are committed before the batch that uses them, on purpose: a name without an event is harmless and idempotent,
    // while names inserted inside the batch would make every other partition wait for its commit. Sorted against deadlocks;
    // "where not exists" keeps known names from using up numbers of the sequence.
    private const string NewUsersSql = """
        insert into users (user_id, erased_ms) select id, erased_ms(id) from unnest($1) as n (id)
         where not exists (select from users where user_id = id) order by id on conflict do nothing
        """;

    private const string NewItemsSql = """
        insert into items (item_id) select id from unnest($1) as n (id)
         where not exists (select from items where item_id = id) order by id on conflict do nothing
        """;

    /// <summary>Fills the batch's dense keys; the answer is the erase epoch they are valid for. No round trip when all are remembered.</summary>
    private async Task<long> ResolveKeysAsync(NpgsqlConnection connection, InteractionBatch batch, BatchColumns columns, CancellationToken cancellation)
    {
        columns.Reserve(batch.Events.Count);
        while (true)
        {
            var (epoch, users, items) = FromCache(batch, columns);
            if (users is null && items is null && epoch >= 0)
                return epoch;
            var found = await LookUpAsync(connection, users ?? [], items ?? [], cancellation);
            if (epoch >= 0 && found.Epoch != epoch)
            {
                lock (_keys.Gate)
                    _keys.MoveTo(found.Epoch);
                continue; // an erase came in between: what the cache gave may be gone
            }

            lock (_keys.Gate)
            {
                _keys.MoveTo(found.Epoch);
                if (_keys.Epoch != found.Epoch)
                    continue;
                foreach (var (id, key) in found.Users)
                    _keys.AddUser(id, key);
                foreach (var (id, key) in found.Items)
                    _keys.AddItem(id, key);
                foreach (var (id, erasedMs) in found.Erased)
                    _keys.AddErased(id, erasedMs);
            }

            if (!FillMissing(batch, columns, found))
                continue;
            return found.Epoch;
        }
    }

    private (long Epoch, HashSet<string>? Users, HashSet<string>? Items) FromCache(InteractionBatch batch, BatchColumns columns)
    {
        HashSet<string>? users = null, items = null;
        lock (_keys.Gate)
        {
            for (var i = 0; i < batch.Events.Count; i++)
            {
                var e = batch.Events[i];
                if (_keys.WasErasedAfter(e.UserId, batch.LoggedMs[i]))
                {
                    columns.UserKeys[i] = BatchColumns.Refused;
                    continue;
                }

                if (!_keys.TryGetUser(e.UserId, out columns.UserKeys[i]))
                {
                    (users ??= new(StringComparer.Ordinal)).Add(e.UserId);
                    columns.UserKeys[i] = 0;
                }

                if (!_keys.TryGetItem(e.ItemId, out columns.ItemKeys[i]))
                {
                    (items ??= new(StringComparer.Ordinal)).Add(e.ItemId);
                    columns.ItemKeys[i] = 0;
                }
            }

            return (_keys.Epoch, users, items);
        }
    }

    /// <summary>False where an id asked for has no key: erased between the insert and the look-up.</summary>
    private static bool FillMissing(InteractionBatch batch, BatchColumns columns, Found found)
    {
        for (var i = 0; i < batch.Events.Count; i++)
        {
            var userId = batch.Events[i].UserId;
            if (columns.UserKeys[i] == 0 && found.Erased.TryGetValue(userId, out var erasedMs) && batch.LoggedMs[i] <= erasedMs)
                columns.UserKeys[i] = BatchColumns.Refused;
            if (columns.UserKeys[i] == 0 && !found.Users.TryGetValue(userId, out columns.UserKeys[i]))
                return false;
            if (columns.ItemKeys[i] == 0
                && columns.UserKeys[i] != BatchColumns.Refused
                && !found.Items.TryGetValue(batch.Events[i].ItemId, out columns.ItemKeys[i]))
                return false;
        }

        return true;
    }

    /// <summary>What a look-up found: keys by id, when those were erased who had been before, and the epoch all of it is valid for.</summary>
    private readonly record struct Found(long Epoch, Dictionary<string, long> Users, Dictionary<string, long> Items, Dictionary<string, long> Erased);

    /// <summary>Keys of these ids, new ones where there are none, in one round trip; the epoch is read before the keys.</summary>
    private static async Task<Found> LookUpAsync(NpgsqlConnection connection, HashSet<string> users, HashSet<string> items, CancellationToken cancellation)
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select epoch from graph_epoch"));
        batch.BatchCommands.Add(WithIds(NewUsersSql, users));
        batch.BatchCommands.Add(WithIds("select array_agg(user_id), array_agg(user_key) from users where user_id = any($1)", users));
        batch.BatchCommands.Add(WithIds("select array_agg(user_id), array_agg(erased_ms) from users where user_id = any($1) and erased_ms is not null", users));
        batch.BatchCommands.Add(WithIds(NewItemsSql, items));
        batch.BatchCommands.Add(WithIds("select array_agg(item_id), array_agg(item_key) from items where item_id = any($1)", items));
        await using var reader = await batch.ExecuteReaderAsync(cancellation);
        await reader.ReadAsync(cancellation);
        var epoch = reader.GetInt64(0);
        await reader.NextResultAsync(cancellation);
        var userKeys = await ReadKeysAsync(reader, users.Count, cancellation);
        await reader.NextResultAsync(cancellation);
        var erased = await ReadKeysAsync(reader, 0, cancellation);
        await reader.NextResultAsync(cancellation);
        return new Found(epoch, userKeys, await ReadKeysAsync(reader, items.Count, cancellation), erased);
    }

    private static NpgsqlBatchCommand WithIds(string sql, HashSet<string> ids) =>
        new(sql) { Parameters = { new NpgsqlParameter { Value = ids.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text } } };

    /// <summary>Two arrays in one row, because a driver call per row costs several times the row.</summary>
    private static async Task<Dictionary<string, long>> ReadKeysAsync(NpgsqlDataReader reader, int count, CancellationToken cancellation)
    {
        var keys = new Dictionary<string, long>(count, StringComparer.Ordinal);
        await reader.ReadAsync(cancellation);
        if (await reader.IsDBNullAsync(0, cancellation))
            return keys;
        var ids = await reader.GetFieldValueAsync<string[]>(0, cancellation);
        var numbers = await reader.GetFieldValueAsync<long[]>(1, cancellation);
        for (var i = 0; i < ids.Length; i++)
            keys[ids[i]] = numbers[i];
        return keys;
    }
}
