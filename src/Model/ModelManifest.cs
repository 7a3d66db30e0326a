using System.Text.Json;
using System.Text.Json.Serialization;

namespace StreamRec.Model;

/// <summary>What the model was trained on.</summary>
/// <param name="From">Time of the oldest interaction.</param>
/// <param name="Until">Time of the newest interaction.</param>
/// <param name="Interactions">How many.</param>
/// <param name="NextOffsets">Next offset per partition of the interactions topic that is not in the data.</param>
public sealed record ModelData(DateTimeOffset From, DateTimeOffset Until, long Interactions, IReadOnlyDictionary<string, long> NextOffsets);

/// <summary>manifest.json of an artifact: what it is, where it comes from, how good it was, and the checksums of its files.</summary>
public sealed record ModelManifest
{
    public required string Name { get; init; }
    public required long Version { get; init; }

    /// <summary>Outside the digest: the same inputs give the same digest on any day.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    public long? ParentVersion { get; init; }

    /// <summary>Version of the code that trained it.</summary>
    public string CodeVersion { get; init; } = "";
    public required ModelConfig Config { get; init; }
    public required ModelData Data { get; init; }
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>File name to lower-case hex sha256; filled when the artifact is written.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>sha256 over the lines "name sha256" of the files in ordinal order and the config's JSON; filled when the artifact is written.</summary>
    public string Digest { get; init; } = "";

    public string ToJson() => JsonSerializer.Serialize(this, ModelJson.Default.ModelManifest);

    /// <exception cref="InvalidDataException">Not a manifest; the message names <paramref name="path"/>.</exception>
    public static ModelManifest Parse(string json, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(json, ModelJson.Default.ModelManifest)
                ?? throw new InvalidDataException($"{path}: the manifest is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not a model manifest: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ModelManifest))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, double>))]
[JsonSerializable(typeof(SortedDictionary<string, string>))]
internal sealed partial class ModelJson : JsonSerializerContext;
