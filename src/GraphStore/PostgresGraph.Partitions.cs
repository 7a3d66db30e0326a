using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;

namespace StreamRec.GraphStore;

public sealed partial class PostgresGraph
{
    /// <summary>Months (years x 12 + month - 1) whose partition is known to be there.</summary>
    private readonly ConcurrentDictionary<int, bool> _months = [];

    /// <summary>
    /// Drops every monthly partition of interactions that ends before <paramref name="keepFromMs"/>. Whole partitions only, so it
    /// costs no row work; edges keep what was folded into them. 0 keeps everything. A drop waits 1 s for running readers at most,
    /// because writers queue behind it meanwhile.
    /// </summary>
    /// <returns>The names of the dropped partitions.</returns>
    /// <exception cref="PostgresException">
    /// A reader (a snapshot being taken) held on to a partition: to be tried again later. Those before it are dropped.
    /// </exception>
    public async Task<IReadOnlyList<string>> DropOldPartitionsAsync(long keepFromMs, CancellationToken cancellation = default)
    {
        if (keepFromMs <= 0)
            return [];
        var keepMonth = MonthOf(keepFromMs);
        await using var connection = await OpenAsync(cancellation);
        var old = new List<string>();
        await using (var query = new NpgsqlCommand(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'interactions'::regclass order by 1", connection))
        {
            await using var reader = await query.ExecuteReaderAsync(cancellation);
            while (await reader.ReadAsync(cancellation))
            {
                if (TryMonth(reader.GetString(0), out var month) && month < keepMonth)
                    old.Add(reader.GetString(0));
            }
        }

        foreach (var name in old)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await ExecuteAsync(connection, "set local lock_timeout = '1s'", cancellation);
            await ExecuteAsync(connection, $"drop table \"{name}\"", cancellation);
            await transaction.CommitAsync(cancellation);
            Log.PartitionDropped(_log, name);
        }

        _months.Clear();
        return old;
    }

    private async Task EnsurePartitionsAsync(NpgsqlConnection connection, InteractionBatch batch, CancellationToken cancellation)
    {
        var last = -1;
        foreach (var e in batch.Events)
        {
            var month = MonthOf(e.TimeMs);
            if (month == last || _months.ContainsKey(month))
            {
                last = month;
                continue;
            }

            await CreatePartitionAsync(connection, month, cancellation);
            _months[month] = true;
            last = month;
        }
    }

    /// <summary>
    /// Before the batch and in a transaction of its own: attaching a ready-made table takes a lock that lets writers of other
    /// months go on, and a partition that nobody comes to use does no harm.
    /// </summary>
    private async Task CreatePartitionAsync(NpgsqlConnection connection, int month, CancellationToken cancellation)
    {
        var name = NameOf(month);
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await ExecuteAsync(connection, "select pg_advisory_xact_lock(hashtextextended(current_schema() || '.interactions', 0))", cancellation);
        await using (var exists = new NpgsqlCommand("select to_regclass($1) is not null", connection))
        {
            exists.Parameters.Add(new() { Value = name });
            if (await exists.ExecuteScalarAsync(cancellation) is true)
                return;
        }

        await ExecuteAsync(connection, string.Create(CultureInfo.InvariantCulture, $"""
            create table {name} (like interactions including all);
            alter table interactions attach partition {name} for values from ({StartOf(month)}) to ({StartOf(month + 1)})
            """), cancellation);
        await transaction.CommitAsync(cancellation);
        Log.PartitionCreated(_log, name);
    }

    private static int MonthOf(long timeMs)
    {
        var date = DateTimeOffset.FromUnixTimeMilliseconds(timeMs);
        return (date.Year * 12) + date.Month - 1;
    }

    private static long StartOf(int month) =>
        month / 12 > 9999
            ? long.MaxValue
            : new DateTimeOffset(month / 12, (month % 12) + 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();

    private static string NameOf(int month) => string.Create(CultureInfo.InvariantCulture, $"interactions_{month / 12:d4}_{(month % 12) + 1:d2}");

    private static bool TryMonth(string name, out int month)
    {
        month = 0;
        var parts = name.Split('_');
        if (parts.Length != 3 || parts[0] != "interactions" || !int.TryParse(parts[1], out var year) || !int.TryParse(parts[2], out var number))
            return false;
        month = (year * 12) + number - 1;
        return true;
    }
}
