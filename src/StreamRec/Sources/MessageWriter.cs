using System.Buffers;
using System.Text.Json;
using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// Writes interactions as the event contract has them. Unlike a plain serializer it can leave out what the input left out:
/// a missing field stays missing on the wire, so that ingest names it. Not thread-safe: one per reading loop.
/// </summary>
public sealed class MessageWriter : IDisposable
{
    private static readonly JsonWriterOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private readonly Utf8JsonWriter _json;

    public MessageWriter() => _json = new Utf8JsonWriter(_buffer, Options);

    /// <summary>Times as written on the wire.</summary>
    public static string Time(long timeMs) =>
        DateTimeOffset.FromUnixTimeMilliseconds(timeMs).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The value of interactions.v1. Null fields are left out; a NaN value too.</summary>
    public byte[] Interaction(RawEvent raw)
    {
        _buffer.ResetWrittenCount();
        _json.Reset(_buffer);
        _json.WriteStartObject();
        Text("event_id", raw.EventId);
        Text("user_id", raw.UserId);
        Text("item_id", raw.ItemId);
        Text("type", raw.Type);
        Text("value", raw.ValueText);
        if (!float.IsNaN(raw.Value))
            _json.WriteNumber("value"u8, raw.Value);
        Text("time", raw.TimeText);
        Text("session_id", raw.SessionId);
        if (raw.Context.Count > 0)
        {
            _json.WriteStartObject("context"u8);
            foreach (var (name, value) in raw.Context)
                _json.WriteString(name, value);
            _json.WriteEndObject();
        }

        _json.WriteEndObject();
        _json.Flush();
        return _buffer.WrittenSpan.ToArray();
    }

    public void Dispose() => _json.Dispose();

    private void Text(string name, string? value)
    {
        if (value is not null)
            _json.WriteString(name, value);
    }
}

/// <summary>An interaction as the input has it, before anybody judged it. Null means the input does not say.</summary>
public readonly record struct RawEvent()
{
    public string? EventId { get; init; }
    public string? UserId { get; init; }
    public string? ItemId { get; init; }
    public string? Type { get; init; }

    /// <summary>NaN when there is none.</summary>
    public float Value { get; init; } = float.NaN;

    /// <summary>A value that is not a number, passed on as the text it is; null normally.</summary>
    public string? ValueText { get; init; }

    /// <summary>RFC 3339, or whatever unreadable text stood in its place.</summary>
    public string? TimeText { get; init; }
    public string? SessionId { get; init; }
    public IReadOnlyList<(string Name, string Value)> Context { get; init; } = [];
}
