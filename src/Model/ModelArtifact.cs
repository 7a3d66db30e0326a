using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace StreamRec.Model;

/// <summary>
/// A model as plain data: manifest, item ids (position = dense model item index) and float32 tensors. The trainer fills one, turns it into a
/// <see cref="RankingModel"/> to evaluate it, and writes it; the scorer loads it. Immutable once built.
/// Directory: manifest.json, model.safetensors, items.json.
/// </summary>
public sealed class ModelArtifact
{
    public const string ManifestFile = "manifest.json";
    public const string TensorFile = "model.safetensors";
    public const string ItemsFile = "items.json";

    public ModelArtifact(ModelManifest manifest, string[] items, IReadOnlyDictionary<string, (long[] Shape, float[] Data)> tensors) =>
        (Manifest, Items, Tensors) = (manifest, items, tensors);

    public ModelManifest Manifest { get; }

    public string[] Items { get; }

    /// <summary>By the names in <see cref="TensorNames"/>.</summary>
    public IReadOnlyDictionary<string, (long[] Shape, float[] Data)> Tensors { get; }

    /// <summary>Where version <paramref name="version"/> lies under the models directory.</summary>
    public static string DirectoryOf(string modelsDirectory, long version) => Path.Combine(modelsDirectory, $"v{version}");

    /// <summary>
    /// Writes to a temporary sibling directory, flushes each file to disk, checksums, then renames: a reader sees all of it or nothing.
    /// Same tensors, items and config give the same digest.
    /// </summary>
    /// <returns>The manifest as written, with checksums and digest.</returns>
    /// <exception cref="IOException"><paramref name="directory"/> exists already: artifacts are immutable.</exception>
    public ModelManifest Write(string directory)
    {
        directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        if (Directory.Exists(directory))
            throw new IOException($"model artifact {directory} exists already; artifacts are never overwritten");
        var parent = Path.GetDirectoryName(directory)!;
        var temporary = Path.Combine(parent, $".{Path.GetFileName(directory)}.{Guid.NewGuid():N}.tmp");
        Directory.CreateDirectory(temporary);
        try
        {
            SafeTensors.Write(Path.Combine(temporary, TensorFile), Tensors, name => Manifest.Config.HalfText && name == TensorNames.ItemText);
            WriteDurably(Path.Combine(temporary, ItemsFile), JsonSerializer.SerializeToUtf8Bytes(Items, ModelJson.Default.StringArray));
            var files = new SortedDictionary<string, string>(StringComparer.Ordinal)
            {
                [ItemsFile] = Sha256(Path.Combine(temporary, ItemsFile)),
                [TensorFile] = Sha256(Path.Combine(temporary, TensorFile)),
            };
            var manifest = Manifest with { Files = files, Digest = DigestOf(files, Manifest.Config) };
            WriteDurably(Path.Combine(temporary, ManifestFile), Encoding.UTF8.GetBytes(manifest.ToJson()));
            FlushDirectory(temporary);
            Directory.Move(temporary, directory);
            FlushDirectory(parent);
            return manifest;
        }
        catch
        {
            Directory.Delete(temporary, recursive: true);
            throw;
        }
    }

    /// <summary>Reads and verifies: every file's sha256 and the digest. Cost: one pass over the files for the checksum, one to read.</summary>
    /// <exception cref="InvalidDataException">A file is missing, truncated or changed; the message names it.</exception>
    public static ModelArtifact Load(string directory)
    {
        var manifestPath = Path.Combine(directory, ManifestFile);
        var manifest = ModelManifest.Parse(Encoding.UTF8.GetString(ReadFile(manifestPath)), manifestPath);
        foreach (var name in (ReadOnlySpan<string>)[ItemsFile, TensorFile])
        {
            if (!manifest.Files.TryGetValue(name, out var expected))
                throw new InvalidDataException($"{manifestPath} lists no checksum for {name}");
            var path = Path.Combine(directory, name);
            var actual = File.Exists(path) ? Sha256(path) : throw new InvalidDataException($"model artifact file {path} is missing");
            if (actual != expected)
                throw new InvalidDataException($"model artifact file {path} is corrupt or truncated: sha256 {actual}, the manifest says {expected}");
        }

        var digest = DigestOf(manifest.Files, manifest.Config);
        if (digest != manifest.Digest)
            throw new InvalidDataException($"{manifestPath}: digest {manifest.Digest} does not match files and config ({digest})");
        return new ModelArtifact(manifest, ReadItems(Path.Combine(directory, ItemsFile)), ReadTensors(Path.Combine(directory, TensorFile)));
    }

    /// <summary>The digest of given checksums and config; see <see cref="ModelManifest.Digest"/>.</summary>
    public static string DigestOf(IReadOnlyDictionary<string, string> files, ModelConfig config)
    {
        var text = new StringBuilder();
        foreach (var (name, sha) in files.OrderBy(f => f.Key, StringComparer.Ordinal))
            text.Append(name).Append(' ').Append(sha).Append('\n');
        text.Append(JsonSerializer.Serialize(config, ModelJson.Default.ModelConfig));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>The tensor's data, checked against a shape; -1 stands for any length.</summary>
    /// <exception cref="InvalidDataException">Missing, or another shape; the message names the tensor.</exception>
    public float[] Require(string name, params ReadOnlySpan<long> shape)
    {
        if (!Tensors.TryGetValue(name, out var tensor))
            throw new InvalidDataException($"model {Manifest.Name} v{Manifest.Version} has no tensor '{name}'");
        var fits = tensor.Shape.Length == shape.Length;
        for (var i = 0; fits && i < shape.Length; i++)
            fits = shape[i] < 0 || shape[i] == tensor.Shape[i];
        if (!fits)
        {
            throw new InvalidDataException(
                $"model {Manifest.Name} v{Manifest.Version}: tensor '{name}' has shape [{string.Join(", ", tensor.Shape)}], "
                + $"needed [{string.Join(", ", shape.ToArray())}]");
        }

        return tensor.Data;
    }

    private static string[] ReadItems(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(ReadFile(path), ModelJson.Default.StringArray)
                ?? throw new InvalidDataException($"{path}: not an array of item ids");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not an array of item ids: {e.Message}", e);
        }
    }

    private static Dictionary<string, (long[] Shape, float[] Data)> ReadTensors(string path)
    {
        using var file = SafeTensors.Open(path);
        return file.Tensors.ToDictionary(t => t.Key, t => (t.Value.Shape, file.ReadFloat32(t.Key)), StringComparer.Ordinal);
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"model artifact file {path} is missing", e);
        }
    }

    private static void WriteDurably(string path, byte[] content)
    {
        using var file = File.Create(path);
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    private static string Sha256(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>Makes the new names durable. Windows keeps directory entries in its journal and cannot open directories this way.</summary>
    private static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        using var handle = DirectoryHandle.Open(path);
        RandomAccess.FlushToDisk(handle);
    }

    private static class DirectoryHandle
    {
        public static Microsoft.Win32.SafeHandles.SafeFileHandle Open(string path)
        {
            var descriptor = open(path, 0);
            if (descriptor < 0)
                throw new IOException($"cannot open directory {path} to flush it: errno {Marshal.GetLastPInvokeError()}");
            return new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, ownsHandle: true);
        }

        [DllImport("libc", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);
    }
}
