using System.Text.Json;
using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

public sealed partial class PostgresGraph
{
    /// <summary>
    /// Where to go on reading a topic, per partition; partitions never claimed are absent. One round trip.
    /// </summary>
    public async Task<IReadOnlyDictionary<int, long>> NextOffsetsAsync(string topic, CancellationToken cancellation = default) =>
        (await ProgressAsync(topic, cancellation)).ToDictionary(p => p.Partition, p => p.NextOffset);

    /// <summary>Progress of every claimed partition of a topic. One round trip.</summary>
    public async Task<IReadOnlyList<PartitionProgress>> ProgressAsync(string topic, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand(
            "select partition, next_offset, applied, duplicates, lost from ingest_offsets where topic = $1 order by partition");
        command.Parameters.Add(Text(topic));
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var progress = new List<PartitionProgress>();
        while (await reader.ReadAsync(cancellation))
            progress.Add(new(reader.GetInt32(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4)));
        return progress;
    }

    /// <summary>
    /// The offset to go on from in a partition: the stored one, or <paramref name="start"/> the first time. Safe to race. One round trip.
    /// </summary>
    public async Task<long> ClaimAsync(string topic, int partition, long start, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand("""
            with claimed as (
                insert into ingest_offsets (topic, partition, next_offset) values ($1, $2, $3) on conflict do nothing returning next_offset)
            select next_offset from claimed union all select next_offset from ingest_offsets where topic = $1 and partition = $2 limit 1
            """);
        command.Parameters.Add(Text(topic));
        command.Parameters.Add(new() { Value = partition });
        command.Parameters.Add(new() { Value = start });
        // Null: a race was lost, and now it is there.
        return await command.ExecuteScalarAsync(cancellation) as long? ?? await ClaimAsync(topic, partition, start, cancellation);
    }

    /// <summary>Records that the broker dropped offsets before they were read, and goes on behind them. The loss is counted for good.</summary>
    /// <exception cref="FencedException">Another consumer owns the partition.</exception>
    public async Task SkipLostAsync(string topic, int partition, long expected, long firstAvailable, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand(
            "update ingest_offsets set next_offset = $4, lost = lost + $4 - $3, updated_at = now() where topic = $1 and partition = $2 and next_offset = $3");
        command.Parameters.Add(Text(topic));
        command.Parameters.Add(new() { Value = partition });
        command.Parameters.Add(new() { Value = expected });
        command.Parameters.Add(new() { Value = firstAvailable });
        if (await command.ExecuteNonQueryAsync(cancellation) == 0)
            throw new FencedException(topic, partition, expected);
    }

    /// <summary>Moves a partition back, because its topic was made anew. Known events are recognised by their identity.</summary>
    /// <exception cref="FencedException">Another consumer owns the partition.</exception>
    public async Task RewindAsync(string topic, int partition, long expected, long to, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand(
            "update ingest_offsets set next_offset = $4, updated_at = now() where topic = $1 and partition = $2 and next_offset = $3");
        command.Parameters.Add(Text(topic));
        command.Parameters.Add(new() { Value = partition });
        command.Parameters.Add(new() { Value = expected });
        command.Parameters.Add(new() { Value = to });
        if (await command.ExecuteNonQueryAsync(cancellation) == 0)
            throw new FencedException(topic, partition, expected);
    }

    /// <summary>Events set aside, by reason code, each counted once whatever was killed on the way.</summary>
    public async Task<IReadOnlyDictionary<string, long>> DeadLetterCountsAsync(CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand("select reason, sum(count)::bigint from dead_letter_counts group by reason order by reason");
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellation))
            counts[reader.GetString(0)] = reader.GetInt64(1);
        return counts;
    }

    /// <summary>Exact sizes: index-only scans, about 0.1 s per million rows.</summary>
    public async Task<GraphStats> StatsAsync(CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand(
            "select (select count(*) from users), (select count(*) from items), (select count(*) from interactions), (select count(*) from edges)");
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        await reader.ReadAsync(cancellation);
        return new(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
    }

    /// <summary>A person's newest events, newest first. Cost O(n + partitions): each month's primary key is read backwards.</summary>
    public async Task<IReadOnlyList<RecentEvent>> RecentAsync(string userId, int count, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand("""
            select item_id, e.type, e.value, e.time_ms from interactions e join items using (item_key)
             where e.user_key = (select user_key from users where user_id = $1)
             order by e.time_ms desc, e.event_uid desc limit $2
            """);
        command.Parameters.Add(Text(userId));
        command.Parameters.Add(new() { Value = count });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var events = new List<RecentEvent>();
        while (await reader.ReadAsync(cancellation))
            events.Add(new(
                reader.GetString(0), (byte)reader.GetInt16(1),
                await reader.IsDBNullAsync(2, cancellation) ? float.NaN : reader.GetFloat(2),
                reader.GetInt64(3)));
        return events;
    }

    /// <summary>What users.v1 said about a person; empty when nothing. One index look-up.</summary>
    public async Task<IReadOnlyDictionary<string, string>> UserAttributesAsync(string userId, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand("select attributes from users where user_id = $1 and attributes is not null");
        command.Parameters.Add(Text(userId));
        return await command.ExecuteScalarAsync(cancellation) is string json
            ? JsonSerializer.Deserialize(json, AttributesJson.Default.DictionaryStringString) ?? []
            : [];
    }

    /// <summary>The titles of those of the items that have one. One statement, an index look-up per item.</summary>
    public async Task<IReadOnlyDictionary<string, string>> TitlesAsync(IEnumerable<string> itemIds, CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand("select item_id, title from items where item_id = any($1) and title <> ''");
        command.Parameters.Add(new() { Value = itemIds.Distinct(StringComparer.Ordinal).ToArray() });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var titles = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellation))
            titles[reader.GetString(0)] = reader.GetString(1);
        return titles;
    }

    /// <summary>
    /// Applied events of one partition of the log with offsets in [from, next), in log order, streamed. Found by the block-range
    /// index on the offset, so a short gap reads few pages.
    /// </summary>
    public async IAsyncEnumerable<LoggedInteraction> FromLogAsync(
        int partition, long from, long next, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await using var command = _dataSource.CreateCommand("""
            select src_offset, event_uid, user_id, item_id, type, value, time_ms
              from interactions join users using (user_key) join items using (item_key)
             where src_partition = $1 and src_offset >= $2 and src_offset < $3 order by src_offset
            """);
        command.Parameters.Add(new() { Value = (short)partition });
        command.Parameters.Add(new() { Value = from });
        command.Parameters.Add(new() { Value = next });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            yield return new LoggedInteraction(reader.GetInt64(0), new Interaction(
                BatchColumns.FromGuid(reader.GetGuid(1)), reader.GetString(2), reader.GetString(3), (byte)reader.GetInt16(4),
                reader.IsDBNull(5) ? float.NaN : reader.GetFloat(5), reader.GetInt64(6)));
        }
    }
}
