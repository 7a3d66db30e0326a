using System.Text;
using Confluent.Kafka;
using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>Reads the record headers the scorer cares for.</summary>
internal static class WireHeaders
{
    /// <summary>W3C Trace Context; goes unchanged from the causing event to the list.</summary>
    public const string TraceParent = "traceparent";

    /// <summary>A traceparent is 55 bytes; one far longer is not worth carrying on.</summary>
    private const int MaxTraceParent = 256;

    public static byte[]? TraceParentOf(Headers? headers) =>
        headers is not null && headers.TryGetLastBytes(TraceParent, out var bytes) && bytes is { Length: <= MaxTraceParent } ? bytes : null;

    public static EventHeaders CloudEvent(Headers? headers) => headers is null || headers.Count == 0
        ? default
        : new EventHeaders { Id = Of(headers, EventHeaders.IdName), Time = Of(headers, EventHeaders.TimeName), Type = Of(headers, EventHeaders.TypeName) };

    public static string? KeyOf(byte[]? key) => key is null ? null : Encoding.UTF8.GetString(key);

    private static ReadOnlySpan<byte> Of(Headers headers, string name) => headers.TryGetLastBytes(name, out var bytes) ? bytes : default;
}
