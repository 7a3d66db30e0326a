using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace StreamRec.Trainer.Text;

/// <summary>
/// Sentence vectors on disk, by content: one append-only file per encoder digest, records of 16 bytes (SHA-256 of the text, cut) and the float32 or
/// float16 vector. A half-written last record, left by a kill, is overwritten. Processes may share a file: each has it to itself while it reads or appends,
/// not while it encodes.
/// </summary>
/// <param name="folder">Created if absent.</param>
/// <param name="digest">The encoder's: another encoder has another file.</param>
/// <param name="dimension">Floats per vector.</param>
/// <param name="half">Keep float16: half the size, relative error below 0.0005. What is returned is rounded the same, whether read or just computed.</param>
/// <param name="maxBytes">A file beyond this is begun anew with the vectors of the current call.</param>
public sealed class TextVectorCache(string folder, string digest, int dimension, bool half = false, long maxBytes = 1L << 30)
{
    private const int KeyBytes = 16;

    /// <summary>Milliseconds another process may be reading or appending before its hold on the file counts as an error.</summary>
    private const int Patience = 60_000;

    private readonly int _recordBytes = KeyBytes + (dimension * (half ? 2 : sizeof(float)));

    public string FilePath { get; } = Path.Combine(folder, $"vectors-{digest[..Math.Min(16, digest.Length)]}{(half ? "-f16" : "")}.bin");

    /// <summary>The vectors of the texts, those on disk read from there and the others computed at once and added. Cost: one pass over the file.</summary>
    /// <param name="texts">Repeats are computed once.</param>
    /// <param name="encode">Called at most once, with the different texts that are missing.</param>
    public float[][] GetOrAdd(IReadOnlyList<string> texts, Func<IReadOnlyList<string>, float[][]> encode)
    {
        Directory.CreateDirectory(folder);
        var wanted = new Dictionary<UInt128, float[]?>();
        var keys = new UInt128[texts.Count];
        for (var i = 0; i < keys.Length; i++)
            wanted[keys[i] = KeyOf(texts[i])] = null;
        using (var file = Open())
            Read(file, wanted);
        var missing = new Dictionary<UInt128, string>();
        for (var i = 0; i < keys.Length; i++)
        {
            if (wanted[keys[i]] is null)
                missing[keys[i]] = texts[i];
        }

        if (missing.Count > 0)
        {
            var computed = encode([.. missing.Values]);
            foreach (var (key, vector) in missing.Keys.Zip(computed))
                wanted[key] = half ? Array.ConvertAll(vector, x => (float)(Half)x) : vector;
            using var file = Open();
            var there = missing.Keys.ToDictionary(key => key, _ => (float[]?)null);
            Read(file, there); // another process may have added some meanwhile
            Append(file, wanted, [.. missing.Keys.Where(key => there[key] is null)]);
        }

        return Array.ConvertAll(keys, key => wanted[key]!);
    }

    private FileStream Open()
    {
        for (var since = Environment.TickCount64; ; Thread.Sleep(20))
        {
            try
            {
                return new FileStream(FilePath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
            }
            catch (IOException) when (File.Exists(FilePath) && Environment.TickCount64 - since < Patience)
            {
                // Another process has it for a moment.
            }
        }
    }

    private static UInt128 KeyOf(string text) => BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private void Read(FileStream file, Dictionary<UInt128, float[]?> wanted)
    {
        var record = new byte[_recordBytes];
        for (var left = file.Length / _recordBytes; left > 0; left--)
        {
            file.ReadExactly(record);
            var key = BinaryPrimitives.ReadUInt128LittleEndian(record);
            if (wanted.ContainsKey(key))
                wanted[key] = Widen(record.AsSpan(KeyBytes));
        }
    }

    private void Append(FileStream file, Dictionary<UInt128, float[]?> wanted, UInt128[] added)
    {
        var end = file.Length / _recordBytes * _recordBytes;
        if (end + ((long)added.Length * _recordBytes) > maxBytes)
            (end, added) = (0, [.. wanted.Keys]);
        file.SetLength(end);
        file.Position = end;
        Span<byte> key = stackalloc byte[KeyBytes];
        foreach (var hash in added)
        {
            BinaryPrimitives.WriteUInt128LittleEndian(key, hash);
            file.Write(key);
            file.Write(half ? MemoryMarshal.AsBytes<Half>(Array.ConvertAll(wanted[hash]!, x => (Half)x)) : MemoryMarshal.AsBytes<float>(wanted[hash]));
        }

        file.Flush(flushToDisk: true);
    }

    private float[] Widen(ReadOnlySpan<byte> stored) =>
        half ? Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(stored).ToArray(), x => (float)x) : MemoryMarshal.Cast<byte, float>(stored).ToArray();
}
