using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace StreamRec.Contracts;

/// <summary>
/// Writes the JSON of interactions.v1 for producers: what <see cref="InteractionDecoder"/> reads. Keeps one Utf8JsonWriter, so
/// a write allocates nothing beyond the target's own growth. Not thread-safe: one per producing thread.
/// </summary>
public sealed class InteractionWriter : IDisposable
{
    private readonly Utf8JsonWriter _json = new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <param name="to">Where the UTF-8 bytes go; appended, nothing is cleared.</param>
    /// <param name="eventId">Unique per event: the key of deduplication. A retry must repeat it.</param>
    /// <param name="userId">The user.</param>
    /// <param name="itemId">The item.</param>
    /// <param name="type">Name of an event type.</param>
    /// <param name="value">Rating or quantity; NaN leaves the field out.</param>
    /// <param name="timeMs">When it happened, Unix milliseconds; written as RFC 3339 UTC.</param>
    /// <param name="sessionId">The session, if there is one.</param>
    public void Write(IBufferWriter<byte> to, string eventId, string userId, string itemId, string type, float value, long timeMs, string? sessionId = null)
    {
        _json.Reset(to);
        _json.WriteStartObject();
        _json.WriteString("event_id"u8, eventId);
        _json.WriteString("user_id"u8, userId);
        _json.WriteString("item_id"u8, itemId);
        _json.WriteString("type"u8, type);
        if (!float.IsNaN(value))
            _json.WriteNumber("value"u8, value);
        _json.WriteString("time"u8, DateTimeOffset.FromUnixTimeMilliseconds(timeMs).UtcDateTime);
        if (sessionId is not null)
            _json.WriteString("session_id"u8, sessionId);
        _json.WriteEndObject();
        _json.Flush();
    }

    public void Dispose() => _json.Dispose();
}
