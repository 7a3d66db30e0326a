using System.Text.Json;
using System.Text.Json.Serialization;

namespace StreamRec.Contracts;

/// <summary>
/// Attributes are text to us but may be any JSON to a producer: numbers, booleans, arrays and objects are kept as their JSON
/// text, nulls are left out.
/// </summary>
public sealed class AttributesConverter : JsonConverter<IReadOnlyDictionary<string, string>>
{
    public override IReadOnlyDictionary<string, string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException($"attributes must be an object, not {reader.TokenType}");
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (reader.TokenType == JsonTokenType.String)
                attributes[name] = reader.GetString()!;
            else if (reader.TokenType == JsonTokenType.Null)
                attributes.Remove(name);
            else
                attributes[name] = Raw(ref reader);
        }

        return attributes;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach (var (name, text) in value)
            writer.WriteString(name, text);
        writer.WriteEndObject();
    }

    private static string Raw(ref Utf8JsonReader reader)
    {
        using var element = JsonDocument.ParseValue(ref reader);
        return element.RootElement.GetRawText();
    }
}
