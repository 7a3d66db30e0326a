using System.Text.Json;
using System.Text.Json.Serialization;
using StreamRec.Model;

namespace StreamRec.Trainer.External;

/// <summary>The part of external.json that is read.</summary>
public sealed record ExternalManifest
{
    public required int Format { get; init; }

    /// <summary>Who trained it, for people.</summary>
    public string Trainer { get; init; } = "";

    /// <summary>Time of the newest event it has learned, Unix milliseconds: later ones mix and judge it.</summary>
    public required long UntilMs { get; init; }

    /// <summary>Shape of the user encoder; the tensors must fit it.</summary>
    public required EncoderConfig Encoder { get; init; }

    /// <summary>Free numbers for the model's metrics, such as the loss.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}

/// <summary>
/// What an external trainer hands back: <c>external.json</c> (<see cref="ExternalManifest"/>, snake_case), <c>items.json</c> (ids in row order) and
/// <c>model.safetensors</c> with <c>item.vectors</c> [items, d], optionally <c>item.bias</c> [items], and the user encoder's tensors under the names of a
/// model artifact (<see cref="TensorNames"/>, <see cref="UserEncoder"/>).
/// </summary>
public sealed class ExternalModel
{
    private const int Format = 1;
    private static readonly JsonSerializerOptions Form = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };
    private readonly Dictionary<string, (long[] Shape, float[] Data)> _tensors;
    private readonly string[] _items;

    private ExternalModel(ExternalManifest manifest, string[] items, Dictionary<string, (long[] Shape, float[] Data)> tensors) =>
        (Manifest, _items, _tensors) = (manifest, items, tensors);

    public ExternalManifest Manifest { get; }

    /// <exception cref="InvalidDataException">A file is missing or not of its form, or vectors and ids do not match; the message names it.</exception>
    public static ExternalModel Load(string folder)
    {
        string Need(string name) => File.Exists(Path.Combine(folder, name)) ? Path.Combine(folder, name)
            : throw new InvalidDataException($"{folder} has no {name}; wanted are external.json, items.json and model.safetensors");
        ExternalManifest manifest;
        string[] items;
        try
        {
            manifest = JsonSerializer.Deserialize<ExternalManifest>(File.ReadAllBytes(Need("external.json")), Form)
                ?? throw new InvalidDataException($"{folder}/external.json is empty");
            items = JsonSerializer.Deserialize<string[]>(File.ReadAllBytes(Need("items.json"))) ?? [];
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{folder}: external.json or items.json is not of its form: {e.Message}", e);
        }

        if (manifest.Format != Format)
            throw new InvalidDataException($"{folder}/external.json is of format {manifest.Format}; this version reads {Format}");
        using var file = SafeTensors.Open(Need("model.safetensors"));
        var tensors = file.Tensors.ToDictionary(t => t.Key, t => (t.Value.Shape, file.ReadFloat32(t.Key)), StringComparer.Ordinal);
        if (!tensors.TryGetValue(TensorNames.ItemVectors, out var vectors)
            || vectors.Shape.Length != 2
            || vectors.Shape[0] != items.Length
            || vectors.Shape[1] != manifest.Encoder.Dim)
        {
            throw new InvalidDataException(
                $"{folder}/model.safetensors: '{TensorNames.ItemVectors}' must be [{items.Length}, {manifest.Encoder.Dim}], "
                + "as items.json and external.json say");
        }
        return new ExternalModel(manifest, items, tensors);
    }

    /// <summary>The tensors with the item rows in another order; an item it does not know gets zeros, which the graph channel reads as unknown.</summary>
    public Dictionary<string, (long[] Shape, float[] Data)> For(IReadOnlyList<string> itemIds)
    {
        var row = _items.Index().ToDictionary(i => i.Item, i => i.Index, StringComparer.Ordinal);
        var result = new Dictionary<string, (long[] Shape, float[] Data)>(_tensors, StringComparer.Ordinal);
        foreach (var name in (string[])[TensorNames.ItemVectors, TensorNames.ItemBias])
        {
            if (!_tensors.TryGetValue(name, out var tensor))
                continue;
            var width = tensor.Data.Length / Math.Max(1, _items.Length);
            var data = new float[itemIds.Count * width];
            for (var i = 0; i < itemIds.Count; i++)
            {
                if (row.TryGetValue(itemIds[i], out var from))
                    tensor.Data.AsSpan(from * width, width).CopyTo(data.AsSpan(i * width));
            }

            result[name] = ([itemIds.Count, .. tensor.Shape[1..]], data);
        }

        return result;
    }
}
