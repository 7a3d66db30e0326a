using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace StreamRec.Trainer.Training;

/// <summary>
/// Writes scalars in TensorBoard's event file format: TFRecord framing (length, masked CRC-32C of it, data, masked CRC-32C of that) around
/// protobuf Event messages (wall_time = 1, step = 2, file_version = 3, summary = 5 with values of tag = 1, simple_value = 2). Not thread-safe.
/// </summary>
public sealed class TensorBoardWriter : IDisposable
{
    private readonly FileStream _file;

    /// <param name="directory">Created when missing; one run per directory, as TensorBoard shows it.</param>
    public TensorBoardWriter(string directory)
    {
        Directory.CreateDirectory(directory);
        var now = DateTimeOffset.UtcNow;
        var path = Path.Combine(
            directory,
            $"events.out.tfevents.{now.ToUnixTimeSeconds()}.streamrec.{Environment.ProcessId}.{now.Ticks % TimeSpan.TicksPerSecond}");
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        WriteRecord(Event(0, null, "brain.Event:2"));
    }

    /// <summary>One event with all values at a step; flushed, so that a viewer sees it at once. Values that are no finite number are left out.</summary>
    public void Write(long step, IReadOnlyDictionary<string, double> values)
    {
        var summary = new MemoryStream();
        foreach (var (tag, value) in values.Where(v => double.IsFinite(v.Value)).OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            var entry = new MemoryStream();
            Bytes(entry, 1, Encoding.UTF8.GetBytes(tag));
            Fixed32(entry, 2, (float)value);
            Bytes(summary, 1, entry.ToArray());
        }

        WriteRecord(Event(step, summary.ToArray(), null));
        _file.Flush();
    }

    public void Dispose() => _file.Dispose();

    private static byte[] Event(long step, byte[]? summary, string? version)
    {
        var message = new MemoryStream();
        Fixed64(message, 1, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0);
        Varint(message, 2 << 3);
        Varint(message, (ulong)step);
        if (version is not null)
            Bytes(message, 3, Encoding.UTF8.GetBytes(version));
        if (summary is not null)
            Bytes(message, 5, summary);
        return message.ToArray();
    }

    private void WriteRecord(byte[] data)
    {
        Span<byte> head = stackalloc byte[12], tail = stackalloc byte[4];
        BinaryPrimitives.WriteInt64LittleEndian(head, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], Masked(head[..8]));
        BinaryPrimitives.WriteUInt32LittleEndian(tail, Masked(data));
        _file.Write(head);
        _file.Write(data);
        _file.Write(tail);
    }

    /// <summary>TFRecord's rotation and offset of the checksum, so that a checksum of checksums stays meaningful.</summary>
    private static uint Masked(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data)
            crc = BitOperations.Crc32C(crc, b);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }

    private static void Bytes(Stream to, int field, byte[] value)
    {
        Varint(to, ((ulong)field << 3) | 2);
        Varint(to, (ulong)value.Length);
        to.Write(value);
    }

    private static void Fixed32(Stream to, int field, float value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        Varint(to, ((ulong)field << 3) | 5);
        to.Write(bytes);
    }

    private static void Fixed64(Stream to, int field, double value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
        Varint(to, ((ulong)field << 3) | 1);
        to.Write(bytes);
    }

    private static void Varint(Stream to, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            to.WriteByte((byte)(value | 0x80));
        to.WriteByte((byte)value);
    }
}
