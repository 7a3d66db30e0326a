using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace StreamRec.GraphStore;

/// <summary>
/// One array per file in NumPy's format, version 1.0 (numpy.lib.format): magic, length, a header that is a Python literal, little-endian data from a multiple
/// of 64 bytes on. <c>numpy.load(path, mmap_mode="r")</c> maps it.
/// </summary>
public static class NpyFile
{
    /// <summary>Cost: one sequential write.</summary>
    /// <typeparam name="T">byte, int, long or float.</typeparam>
    public static void Write<T>(string path, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        var count = 1L;
        foreach (var dimension in shape)
            count = checked(count * dimension);
        if (count != values.Length)
            throw new ArgumentException($"{values.Length} values do not fill shape ({string.Join(", ", shape.ToArray())})", nameof(values));
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{{'descr': '{Descriptor<T>()}', 'fortran_order': False, 'shape': (");
        foreach (var dimension in shape)
            text.Append(CultureInfo.InvariantCulture, $"{dimension}, ");
        text.Append("), }");
        var length = 10 + text.Length + 1;
        text.Append(' ', (64 - (length % 64)) % 64).Append('\n');
        using var file = File.Create(path);
        file.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0]);
        Span<byte> size = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(size, checked((ushort)text.Length));
        file.Write(size);
        file.Write(Encoding.ASCII.GetBytes(text.ToString()));
        const int Part = 1 << 26; // a span of bytes ends at 2 GiB
        for (var from = 0; from < values.Length; from += Part)
            file.Write(MemoryMarshal.AsBytes(values.Slice(from, Math.Min(Part, values.Length - from))));
        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads what <see cref="Write"/>, or NumPy in C order, wrote.</summary>
    /// <exception cref="InvalidDataException">Not such a file, of another type, or truncated; the message says which.</exception>
    public static (T[] Values, long[] Shape) Read<T>(string path)
        where T : unmanaged
    {
        using var file = File.OpenRead(path);
        Span<byte> head = stackalloc byte[10];
        if (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length || !IsMagic(head))
            throw new InvalidDataException($"{path} is no .npy file");
        var header = new byte[BinaryPrimitives.ReadUInt16LittleEndian(head[8..])];
        file.ReadExactly(header);
        var text = Encoding.ASCII.GetString(header);
        if (!text.Contains($"'{Descriptor<T>()}'", StringComparison.Ordinal) || !text.Contains("'fortran_order': False", StringComparison.Ordinal))
            throw new InvalidDataException($"{path} holds {text.Trim()}, wanted is '{Descriptor<T>()}' in C order");
        var (open, close) = (text.IndexOf('('), text.IndexOf(')'));
        long[] shape = [.. text[(open + 1)..close].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(d => long.Parse(d, CultureInfo.InvariantCulture))];
        var values = new T[shape.Aggregate(1L, (a, b) => checked(a * b))];
        if (file.Length - file.Position < (long)values.Length * Marshal.SizeOf<T>())
            throw new InvalidDataException($"{path} is truncated: shape ({string.Join(", ", shape)}) does not fit {file.Length} bytes");
        const int Part = 1 << 26;
        for (var from = 0; from < values.Length; from += Part)
            file.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan(from, Math.Min(Part, values.Length - from))));
        return (values, shape);
    }

    private static bool IsMagic(ReadOnlySpan<byte> head) => head[0] == 0x93 && head[1..6].SequenceEqual("NUMPY"u8);

    private static string Descriptor<T>() => default(T) switch
    {
        byte => "|u1",
        int => "<i4",
        long => "<i8",
        float => "<f4",
        _ => throw new NotSupportedException($"{typeof(T).Name} has no place in an export"),
    };
}
