using System.Text.Json;

namespace StreamRec.Trainer.Text;

/// <summary>The fields of a Hugging Face config.json that a BERT encoder is built from.</summary>
public sealed record BertConfig
{
    public required int VocabSize { get; init; }
    public required int HiddenSize { get; init; }
    public required int Layers { get; init; }
    public required int Heads { get; init; }
    public required int IntermediateSize { get; init; }

    /// <summary>Longest input in tokens.</summary>
    public int MaxPositions { get; init; } = 512;
    public int TypeVocabSize { get; init; } = 2;
    public double LayerNormEps { get; init; } = 1e-12;

    /// <summary>Used in training only.</summary>
    public double Dropout { get; init; } = 0.1;

    /// <summary>Reads config.json.</summary>
    /// <exception cref="InvalidDataException">A field is missing, or the model is of a kind this encoder does not compute.</exception>
    public static BertConfig Load(string path)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = json.RootElement;
        int Int(string name) => root.TryGetProperty(name, out var value) && value.TryGetInt32(out var number)
            ? number
            : throw new InvalidDataException($"{path}: '{name}' is missing or no integer");
        Require(path, root, "model_type", "bert");
        Require(path, root, "hidden_act", "gelu");
        Require(path, root, "position_embedding_type", "absolute");
        var config = new BertConfig
        {
            VocabSize = Int("vocab_size"),
            HiddenSize = Int("hidden_size"),
            Layers = Int("num_hidden_layers"),
            Heads = Int("num_attention_heads"),
            IntermediateSize = Int("intermediate_size"),
            MaxPositions = Int("max_position_embeddings"),
            TypeVocabSize = Int("type_vocab_size"),
            LayerNormEps = root.TryGetProperty("layer_norm_eps", out var eps) ? eps.GetDouble() : 1e-12,
            Dropout = root.TryGetProperty("hidden_dropout_prob", out var dropout) ? dropout.GetDouble() : 0.1,
        };
        return config.HiddenSize % config.Heads == 0
            ? config
            : throw new InvalidDataException($"{path}: hidden_size {config.HiddenSize} is no multiple of num_attention_heads {config.Heads}");
    }

    /// <summary>Writes a config.json that <see cref="Load"/> and Hugging Face read.</summary>
    public void Save(string path)
    {
        using var file = File.Create(path);
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue("BertModel");
        json.WriteEndArray();
        json.WriteString("model_type", "bert");
        json.WriteString("hidden_act", "gelu");
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("hidden_size", HiddenSize);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("num_attention_heads", Heads);
        json.WriteNumber("intermediate_size", IntermediateSize);
        json.WriteNumber("max_position_embeddings", MaxPositions);
        json.WriteNumber("type_vocab_size", TypeVocabSize);
        json.WriteNumber("layer_norm_eps", LayerNormEps);
        json.WriteNumber("hidden_dropout_prob", Dropout);
        json.WriteNumber("attention_probs_dropout_prob", Dropout);
        json.WriteNumber("pad_token_id", 0);
        json.WriteEndObject();
    }

    private static void Require(string path, JsonElement root, string name, string wanted)
    {
        if (root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() != wanted)
            throw new InvalidDataException($"{path}: {name} is '{value.GetString()}'; this encoder computes '{wanted}' only");
    }
}
