using System.IO.Compression;
using StreamRec.GraphStore;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// One-dimensional arrays in NumPy's .npz (a zip of .npy files, see <see cref="NpyFile"/>): raw results that other people's scripts read. Types: Int64
/// (<c>&lt;i8</c>), UInt16 (<c>&lt;u2</c>), Double (<c>&lt;f8</c>).
/// </summary>
public static class NpzFile
{
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

    /// <summary>All arrays.</summary>
    /// <exception cref="InvalidDataException">Not such a file; names the file and the array.</exception>
    public static Dictionary<string, Array> Read(string path)
    {
        using var zip = ZipFile.OpenRead(path);
        var arrays = new Dictionary<string, Array>(StringComparer.Ordinal);
        foreach (var entry in zip.Entries)
        {
            using var stream = entry.Open();
            var name = entry.FullName.EndsWith(".npy", StringComparison.Ordinal) ? entry.FullName[..^4] : entry.FullName;
            arrays[name] = NpyFile.Read(stream, $"{path}, array '{name}'").Values;
        }

        return arrays;
    }

    private static void WriteArray(Stream stream, Array array)
    {
        switch (array)
        {
            case long[] x:
                NpyFile.Write<long>(stream, x, x.Length);
                break;
            case ushort[] x:
                NpyFile.Write<ushort>(stream, x, x.Length);
                break;
            case double[] x:
                NpyFile.Write<double>(stream, x, x.Length);
                break;
            default:
                throw new ArgumentException($"an array of {array.GetType().GetElementType()} cannot be written", nameof(array));
        }
    }
}
