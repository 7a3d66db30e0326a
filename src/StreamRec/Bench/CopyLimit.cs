using System.Buffers.Binary;
using System.Diagnostics;
using Npgsql;
using StreamRec.Contracts;

namespace StreamRec.Bench;

/// <summary>Rows of interactions sent to Postgres as one plain binary COPY, encoded on the way: what the server can do with these rows at best.</summary>
internal static class CopyLimit
{
    private const int RowBytes = 2 + (8 * 4) + 8 + 8 + 8 + 8 + 16 + 4 + 2 + 2;

    /// <summary>Copies the events into a new table with the same indexes as a partition of interactions, durably.</summary>
    /// <returns>Seconds, the commit included.</returns>
    public static async Task<double> RunAsync(NpgsqlDataSource source, BenchEvents events, CancellationToken ct)
    {
        await using var create = source.CreateCommand("drop table if exists copy_limit; create table copy_limit (like interactions including all)");
        await create.ExecuteNonQueryAsync(ct); // in a transaction of its own: rows of a table made in the same one would not be logged
        var watch = Stopwatch.StartNew();
        await CopyAsync(source, "copy_limit", events, ct);
        var seconds = watch.Elapsed.TotalSeconds;
        await using var drop = source.CreateCommand("drop table copy_limit");
        await drop.ExecuteNonQueryAsync(ct);
        return seconds;
    }

    /// <summary>Copies events into a table with the columns of interactions; dense index + 1 is the key.</summary>
    public static async Task CopyAsync(NpgsqlDataSource source, string table, BenchEvents events, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await using var copy = await connection.BeginRawBinaryCopyAsync(
            $"copy {table} (user_key, item_key, time_ms, src_offset, event_uid, value, type, src_partition) from stdin (format binary)", ct);
        await copy.WriteAsync(Header(), ct);
        var buffer = new byte[RowBytes * 4096];
        var used = 0;
        for (var i = 0; i < events.Count; i++)
        {
            used += Row(buffer.AsSpan(used), events[i], i);
            if (used + RowBytes <= buffer.Length)
                continue;
            await copy.WriteAsync(buffer.AsMemory(0, used), ct);
            used = 0;
        }

        BinaryPrimitives.WriteInt16BigEndian(buffer.AsSpan(used), -1);
        await copy.WriteAsync(buffer.AsMemory(0, used + 2), ct);
        await copy.FlushAsync(ct);
    }

    /// <summary>COPY … TO STDOUT of the columns a snapshot reads, thrown away.</summary>
    public static async Task<double> ReadAsync(NpgsqlDataSource source, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        var watch = Stopwatch.StartNew();
        await using var copy = await connection.BeginRawBinaryCopyAsync(
            "copy (select user_key, item_key, type, value, time_ms from interactions) to stdout (format binary)", ct);
        var buffer = new byte[1 << 17];
        while (await copy.ReadAsync(buffer, ct) > 0)
        {
        }

        return watch.Elapsed.TotalSeconds;
    }

    /// <summary>Signature, flags and extension length of COPY's binary format.</summary>
    private static byte[] Header() =>
        [(byte)'P', (byte)'G', (byte)'C', (byte)'O', (byte)'P', (byte)'Y', (byte)'\n', 0xff, (byte)'\r', (byte)'\n',
            0, 0, 0, 0, 0, 0, 0, 0, 0];

    private static int Row(Span<byte> to, in (int User, int Item, EventType Type, float Value, long TimeMs) e, int index)
    {
        BinaryPrimitives.WriteInt16BigEndian(to, 8);
        var at = 2;
        at += Int64(to[at..], e.User + 1);
        at += Int64(to[at..], e.Item + 1);
        at += Int64(to[at..], e.TimeMs);
        at += Int64(to[at..], index);
        BinaryPrimitives.WriteInt32BigEndian(to[at..], 16);
        BinaryPrimitives.WriteUInt128BigEndian(to[(at + 4)..], new UInt128(EventIds.Mix((ulong)index), (ulong)index));
        at += 20;
        if (float.IsNaN(e.Value))
        {
            BinaryPrimitives.WriteInt32BigEndian(to[at..], -1);
            at += 4;
        }
        else
        {
            BinaryPrimitives.WriteInt32BigEndian(to[at..], 4);
            BinaryPrimitives.WriteSingleBigEndian(to[(at + 4)..], e.Value);
            at += 8;
        }

        at += Int16(to[at..], e.Type.Code);
        return at + Int16(to[at..], 0);
    }

    private static int Int64(Span<byte> to, long value)
    {
        BinaryPrimitives.WriteInt32BigEndian(to, 8);
        BinaryPrimitives.WriteInt64BigEndian(to[4..], value);
        return 12;
    }

    private static int Int16(Span<byte> to, short value)
    {
        BinaryPrimitives.WriteInt32BigEndian(to, 2);
        BinaryPrimitives.WriteInt16BigEndian(to[4..], value);
        return 6;
    }
}
