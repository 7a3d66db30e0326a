using System.Buffers.Binary;
using System.Collections.Frozen;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace StreamRec.Model;

/// <summary>One tensor's place in a safetensors file. Shape [] is a scalar.</summary>
/// <param name="DType">Safetensors name: F32, F64, I64, I32, F16, BF16, U8 …</param>
/// <param name="Shape">Row-major dimensions.</param>
/// <param name="Begin">First byte, from the start of the data section.</param>
/// <param name="End">One past the last byte.</param>
public sealed record TensorInfo(string DType, long[] Shape, long Begin, long End)
{
    public long Count => Shape.Aggregate(1L, (a, b) => checked(a * b));
}

/// <summary>
/// A memory-mapped safetensors file (github.com/huggingface/safetensors, format description): 8 bytes little-endian header
/// length, JSON header, data. Opening costs the header only; reading a tensor copies it out. Thread-safe after opening.
/// A file that lies about its offsets, lengths or overlaps is refused with <see cref="InvalidDataException"/> naming the tensor.
/// </summary>
public sealed class SafeTensors : IDisposable
{
    private const long MaxHeader = 100_000_000; // the reference implementation's limit
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long _dataStart;
    private readonly string _path;

    private SafeTensors(string path, MemoryMappedFile file, MemoryMappedViewAccessor view, long dataStart, Header header)
    {
        (_path, _file, _view, _dataStart) = (path, file, view, dataStart);
        Tensors = header.Tensors.ToFrozenDictionary(StringComparer.Ordinal);
        Metadata = header.Metadata.ToFrozenDictionary(StringComparer.Ordinal);
    }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public static SafeTensors Open(string path)
    {
        var length = new FileInfo(path).Length;
        if (length < 8)
            throw new InvalidDataException($"{path}: {length} bytes is too short for a safetensors file");
        var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        MemoryMappedViewAccessor? view = null;
        try
        {
            view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            var headerLength = view.ReadInt64(0);
            if (headerLength is < 2 or > MaxHeader || 8 + headerLength > length)
                throw new InvalidDataException($"{path}: header of {headerLength} bytes does not fit a file of {length}");
            var bytes = new byte[headerLength];
            view.ReadArray(8, bytes, 0, bytes.Length);
            return new SafeTensors(path, file, view, 8 + headerLength, Header.Parse(path, bytes, length - 8 - headerLength));
        }
        catch
        {
            view?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor as float32; F64, F16, BF16 and integers are converted. Throws <see cref="KeyNotFoundException"/> for an unknown name.</summary>
    public float[] ReadFloat32(string name)
    {
        var info = Find(name);
        return info.DType switch
        {
            "F32" => Read<float>(info),
            "BF16" => Array.ConvertAll(Read<ushort>(info), x => BitConverter.Int32BitsToSingle(x << 16)),
            "F16" => Array.ConvertAll(Read<Half>(info), x => (float)x),
            _ => Array.ConvertAll(ReadFloat64(name), x => (float)x),
        };
    }

    public double[] ReadFloat64(string name)
    {
        var info = Find(name);
        return info.DType switch
        {
            "F64" => Read<double>(info),
            "I64" => Array.ConvertAll(Read<long>(info), x => (double)x),
            "I32" => Array.ConvertAll(Read<int>(info), x => (double)x),
            "F32" or "F16" or "BF16" => Array.ConvertAll(ReadFloat32(name), x => (double)x),
            _ => throw new InvalidDataException($"{_path}: tensor '{name}' is {info.DType}, not a number type read here"),
        };
    }

    public long[] ReadInt64(string name)
    {
        var info = Find(name);
        return info.DType switch
        {
            "I64" => Read<long>(info),
            "I32" => Array.ConvertAll(Read<int>(info), x => (long)x),
            _ => throw new InvalidDataException($"{_path}: tensor '{name}' is {info.DType}, not an integer"),
        };
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private TensorInfo Find(string name) =>
        Tensors.TryGetValue(name, out var info) ? info : throw new KeyNotFoundException($"{_path} has no tensor '{name}'");

    private T[] Read<T>(TensorInfo info)
        where T : unmanaged
    {
        var values = new T[info.Count];
        _view.ReadArray(_dataStart + info.Begin, values, 0, values.Length);
        return values;
    }

    /// <summary>Writes float32 tensors in ordinal order of their names, so that the same weights give the same bytes.</summary>
    /// <param name="path">Overwritten.</param>
    /// <param name="tensors">Shape and data by name.</param>
    /// <param name="half">Names kept as float16; null for none.</param>
    /// <exception cref="ArgumentException">A tensor's data does not fill its shape.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, (long[] Shape, float[] Data)> tensors, Func<string, bool>? half = null)
    {
        var names = tensors.Keys.Order(StringComparer.Ordinal).ToArray();
        var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            long at = 0;
            foreach (var name in names)
            {
                var (shape, data) = tensors[name];
                if (shape.Aggregate(1L, (a, b) => a * b) != data.LongLength)
                    throw new ArgumentException($"tensor '{name}' has {data.LongLength} values for shape [{string.Join(", ", shape)}]", nameof(tensors));
                var narrow = half?.Invoke(name) == true;
                WriteEntry(json, name, narrow ? "F16" : "F32", shape, at, at += data.LongLength * (narrow ? 2 : sizeof(float)));
            }

            json.WriteEndObject();
        }

        using var file = File.Create(path);
        Span<byte> length = stackalloc byte[8];
        var padding = (8 - ((int)header.Length & 7)) & 7; // keeps the data 8-byte aligned, as the reference writer does
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length + padding);
        file.Write(length);
        file.Write(header.GetBuffer().AsSpan(0, (int)header.Length));
        file.Write("        "u8[..padding]);
        foreach (var name in names)
            WriteData(file, tensors[name].Data, half?.Invoke(name) == true);
        file.Flush(flushToDisk: true);
    }

    private static void WriteData(FileStream file, float[] data, bool half)
    {
        const int Part = 1 << 26; // a span of bytes ends at 2 GiB
        for (var from = 0; from < data.Length; from += Part)
        {
            var part = data.AsSpan(from, Math.Min(Part, data.Length - from));
            file.Write(half ? MemoryMarshal.AsBytes<Half>(Array.ConvertAll(part.ToArray(), x => (Half)x)) : MemoryMarshal.AsBytes(part));
        }
    }

    private static void WriteEntry(Utf8JsonWriter json, string name, string dtype, long[] shape, long begin, long end)
    {
        json.WriteStartObject(name);
        json.WriteString("dtype", dtype);
        json.WriteStartArray("shape");
        foreach (var dimension in shape)
            json.WriteNumberValue(dimension);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(begin);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private sealed record Header(Dictionary<string, TensorInfo> Tensors, Dictionary<string, string> Metadata)
    {
        public static Header Parse(string path, byte[] bytes, long dataLength)
        {
            var header = new Header([], []);
            try
            {
                using var json = JsonDocument.Parse(bytes);
                foreach (var entry in json.RootElement.EnumerateObject())
                {
                    if (entry.Name == "__metadata__")
                    {
                        foreach (var pair in entry.Value.EnumerateObject())
                            header.Metadata[pair.Name] = pair.Value.GetString() ?? "";
                    }
                    else
                    {
                        header.Tensors.Add(entry.Name, Check(path, entry.Name, entry.Value, dataLength));
                    }
                }

                CheckOverlaps(path, header.Tensors);
            }
            catch (Exception e)
                when (e is JsonException or InvalidOperationException or KeyNotFoundException
                    or FormatException or ArgumentException or OverflowException)
            {
                throw new InvalidDataException($"{path}: the safetensors header is not valid: {e.Message}", e);
            }

            return header;
        }

        private static TensorInfo Check(string path, string name, JsonElement entry, long dataLength)
        {
            var info = new TensorInfo(
                entry.GetProperty("dtype").GetString() ?? "",
                [.. entry.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())],
                entry.GetProperty("data_offsets")[0].GetInt64(),
                entry.GetProperty("data_offsets")[1].GetInt64());
            if (info.Begin < 0 || info.End < info.Begin || info.End > dataLength)
                throw new InvalidDataException($"{path}: tensor '{name}' lies at {info.Begin}..{info.End} of {dataLength} data bytes (truncated file?)");
            var width = Width(info.DType);
            if (width > 0 && info.Count * width != info.End - info.Begin)
            {
                throw new InvalidDataException(
                    $"{path}: tensor '{name}' of shape [{string.Join(", ", info.Shape)}] {info.DType} "
                    + $"needs {info.Count * width} bytes, the file gives {info.End - info.Begin}");
            }
            return info;
        }

        private static void CheckOverlaps(string path, Dictionary<string, TensorInfo> tensors)
        {
            var (end, before) = (0L, "");
            foreach (var (name, info) in tensors.Where(t => t.Value.End > t.Value.Begin).OrderBy(t => t.Value.Begin))
            {
                if (info.Begin < end)
                    throw new InvalidDataException($"{path}: tensor '{name}' at {info.Begin}..{info.End} overlaps '{before}', which ends at {end}");
                (end, before) = (info.End, name);
            }
        }

        private static int Width(string dtype) => dtype switch
        {
            "F64" or "I64" or "U64" => 8,
            "F32" or "I32" or "U32" => 4,
            "F16" or "BF16" or "I16" or "U16" => 2,
            "U8" or "I8" or "BOOL" => 1,
            _ => 0,
        };
    }
}
