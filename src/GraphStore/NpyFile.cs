using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace StreamRec.GraphStore;

/// <summary>
/// One array in NumPy's format, version 1.0 (numpy.lib.format): magic, length, a header that is a Python literal, little-endian data from a multiple
/// of 64 bytes on. <c>numpy.load(path, mmap_mode="r")</c> maps such a file.
/// </summary>
public static class NpyFile
{
    private const int Part = 1 << 26; // a span of bytes ends at 2 GiB

    /// <summary>Cost: one sequential write.</summary>
    /// <typeparam name="T">byte, ushort, int, long, float or double.</typeparam>
    public static void Write<T>(string path, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        using var file = File.Create(path);
        Write(file, values, shape);
        file.Flush(flushToDisk: true);
    }

    /// <inheritdoc cref="Write{T}(string, ReadOnlySpan{T}, ReadOnlySpan{long})"/>
    public static void Write<T>(Stream stream, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        var count = 1L;
        foreach (var dimension in shape)
            count = checked(count * dimension);
        if (count != values.Length)
            throw new ArgumentException($"{values.Length} values do not fill shape ({string.Join(", ", shape.ToArray())})", nameof(values));
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{{'descr': '{Descriptor(typeof(T))}', 'fortran_order': False, 'shape': (");
        foreach (var dimension in shape)
            text.Append(CultureInfo.InvariantCulture, $"{dimension}, ");
        text.Append("), }");
        var length = 10 + text.Length + 1;
        text.Append(' ', (64 - (length % 64)) % 64).Append('\n');
        stream.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0]);
        Span<byte> size = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(size, checked((ushort)text.Length));
        stream.Write(size);
        stream.Write(Encoding.ASCII.GetBytes(text.ToString()));
        for (var from = 0; from < values.Length; from += Part)
            stream.Write(MemoryMarshal.AsBytes(values.Slice(from, Math.Min(Part, values.Length - from))));
    }

    /// <summary>Reads what <see cref="Write{T}(string, ReadOnlySpan{T}, ReadOnlySpan{long})"/>, or NumPy in C order, wrote.</summary>
    /// <exception cref="InvalidDataException">Not such a file, of another type, or truncated; the message says which.</exception>
    public static (T[] Values, long[] Shape) Read<T>(string path)
        where T : unmanaged
    {
        using var file = File.OpenRead(path);
        var (values, shape) = Read(file, path);
        return values is T[] typed
            ? (typed, shape)
            : throw new InvalidDataException(
                $"{path} holds '{Descriptor(values.GetType().GetElementType()!)}', wanted is '{Descriptor(typeof(T))}'");
    }

    /// <summary>Reads one array of whichever type it is.</summary>
    /// <param name="stream">Read up to the array's end.</param>
    /// <param name="what">For messages.</param>
    /// <exception cref="InvalidDataException">Not such an array, or truncated; the message says which.</exception>
    public static (Array Values, long[] Shape) Read(Stream stream, string what)
    {
        Span<byte> head = stackalloc byte[10];
        if (stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length || head[0] != 0x93 || !head[1..7].SequenceEqual("NUMPY\u0001"u8))
            throw new InvalidDataException($"{what}: not a NumPy array of format 1.0");
        var header = new byte[BinaryPrimitives.ReadUInt16LittleEndian(head[8..])];
        var (open, close, text) = (-1, -1, "");
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length)
        {
            text = Encoding.ASCII.GetString(header);
            (open, close) = (text.IndexOf('('), text.IndexOf(')'));
        }

        if (open < 0 || close < open || !text.Contains("'fortran_order': False", StringComparison.Ordinal))
            throw new InvalidDataException($"{what}: {text.Trim()} is no array in C order");
        long[] shape =
        [
            .. text[(open + 1)..close].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(d => long.Parse(d, CultureInfo.InvariantCulture))
        ];
        var count = shape.Aggregate(1L, (a, b) => checked(a * b));
        bool Is<T>() => text.Contains($"'{Descriptor(typeof(T))}'", StringComparison.Ordinal);
        T[] Values<T>()
            where T : unmanaged
        {
            var values = new T[count];
            for (var from = 0; from < values.Length; from += Part)
            {
                var bytes = MemoryMarshal.AsBytes(values.AsSpan(from, Math.Min(Part, values.Length - from)));
                if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
                    throw new InvalidDataException($"{what}: truncated, shape ({string.Join(", ", shape)}) needs more bytes than there are");
            }

            return values;
        }

        Array all = Is<byte>() ? Values<byte>() : Is<ushort>() ? Values<ushort>() : Is<int>() ? Values<int>() : Is<long>() ? Values<long>()
            : Is<float>() ? Values<float>() : Is<double>() ? Values<double>()
            : throw new InvalidDataException($"{what}: {text.Trim()} is of no type that is read here");
        return (all, shape);
    }

    private static string Descriptor(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.Byte => "|u1",
        TypeCode.UInt16 => "<u2",
        TypeCode.Int32 => "<i4",
        TypeCode.Int64 => "<i8",
        TypeCode.Single => "<f4",
        TypeCode.Double => "<f8",
        _ => throw new NotSupportedException($"{type.Name} has no place in an array file"),
    };
}
