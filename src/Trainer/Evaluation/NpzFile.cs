using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// One-dimensional arrays in NumPy's .npz (a zip of .npy files, format 1.0, little-endian): raw results that other people's scripts read. Types: Int64
/// (<c>&lt;i8</c>), UInt16 (<c>&lt;u2</c>), Double (<c>&lt;f8</c>).
/// </summary>
public static class NpzFile
{
    private const string Magic = "\u0093NUMPY";

    /// <summary>Adds arrays to a file, which is made if it is missing; arrays of the same name are replaced.</summary>
    public static void Update(string path, IReadOnlyDictionary<string, Array> arrays)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var zip = ZipFile.Open(path, ZipArchiveMode.Update);
        foreach (var (name, array) in arrays)
        {
            zip.GetEntry(name + ".npy")?.Delete();
            using var stream = zip.CreateEntry(name + ".npy", CompressionLevel.Fastest).Open();
            WriteArray(stream, array);
        }
    }

    /// <summary>All arrays, as Int64, UInt16 or Double arrays.</summary>
    /// <exception cref="InvalidDataException">Not such a file; names the file and the array.</exception>
    public static Dictionary<string, Array> Read(string path)
    {
        using var zip = ZipFile.OpenRead(path);
        var arrays = new Dictionary<string, Array>(StringComparer.Ordinal);
        foreach (var entry in zip.Entries)
        {
            using var stream = entry.Open();
            using var memory = new MemoryStream();
            stream.CopyTo(memory);
            var name = entry.FullName.EndsWith(".npy", StringComparison.Ordinal) ? entry.FullName[..^4] : entry.FullName;
            arrays[name] = ReadArray(memory.ToArray(), $"{path}, array '{name}'");
        }

        return arrays;
    }

    private static void WriteArray(Stream stream, Array array)
    {
        var (type, bytes) = array switch
        {
            long[] x => ("<i8", MemoryMarshal.AsBytes(x.AsSpan()).ToArray()),
            ushort[] x => ("<u2", MemoryMarshal.AsBytes(x.AsSpan()).ToArray()),
            double[] x => ("<f8", MemoryMarshal.AsBytes(x.AsSpan()).ToArray()),
            _ => throw new ArgumentException($"an array of {array.GetType().GetElementType()} cannot be written", nameof(array)),
        };
        var header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({array.Length},), }}";
        var padded = header.PadRight(((header.Length + 11 + 63) / 64 * 64) - 11) + "\n";
        stream.Write(Encoding.Latin1.GetBytes(Magic));
        stream.Write([1, 0, (byte)padded.Length, (byte)(padded.Length >> 8)]);
        stream.Write(Encoding.Latin1.GetBytes(padded));
        stream.Write(bytes);
    }

    private static Array ReadArray(byte[] file, string what)
    {
        if (file.Length < 10 || Encoding.Latin1.GetString(file, 0, 6) != Magic || file[6] != 1)
            throw new InvalidDataException($"{what}: not a NumPy array of format 1.0");
        var length = file[8] | (file[9] << 8);
        var header = Encoding.Latin1.GetString(file, 10, Math.Min(length, file.Length - 10));
        var data = file.AsSpan(Math.Min(file.Length, 10 + length));
        if (header.Contains("'<i8'", StringComparison.Ordinal))
            return MemoryMarshal.Cast<byte, long>(data).ToArray();
        if (header.Contains("'<u2'", StringComparison.Ordinal))
            return MemoryMarshal.Cast<byte, ushort>(data).ToArray();
        if (header.Contains("'<f8'", StringComparison.Ordinal))
            return MemoryMarshal.Cast<byte, double>(data).ToArray();
        throw new InvalidDataException($"{what}: {header.Trim()} is none of <i8, <u2 and <f8");
    }
}
