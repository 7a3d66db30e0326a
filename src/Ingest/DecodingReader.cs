using Confluent.Kafka;
using StreamRec.Contracts;

namespace StreamRec.Ingest;

/// <summary>What one record of interactions.v1 turned out to be. Key and value are kept only where it is set aside.</summary>
internal readonly record struct Decoded(Interaction Event, DeadLetterReason Reason, string? Detail, byte[]? Key, byte[]? Value, int Length);

/// <summary>
/// Decodes while the client still holds the record's memory: as deserialisers they see the bytes before anything is copied, so a
/// good record costs no array. The key comes first and is remembered for the value. Used by one consuming thread.
/// </summary>
internal sealed class DecodingReader(InteractionDecoder decoder, int maxKept, TimeSpan retention) : IDeserializer<Ignore>, IDeserializer<Decoded>
{
    private byte[] _key = new byte[256];
    private int _keyLength;

    Ignore IDeserializer<Ignore>.Deserialize(ReadOnlySpan<byte> data, bool isNull, SerializationContext context)
    {
        if (isNull)
        {
            _keyLength = -1;
            return default!;
        }

        if (_key.Length < data.Length)
            _key = new byte[data.Length];
        data.CopyTo(_key);
        _keyLength = data.Length;
        return default!;
    }

    Decoded IDeserializer<Decoded>.Deserialize(ReadOnlySpan<byte> data, bool isNull, SerializationContext context)
    {
        var headers = default(EventHeaders);
        if (context.Headers is { Count: > 0 } given)
        {
            headers = new EventHeaders
            {
                Id = Last(given, EventHeaders.IdName),
                Time = Last(given, EventHeaders.TimeName),
                Type = Last(given, EventHeaders.TypeName),
            };
        }
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var reason = decoder.TryDecode(data, headers, now, out var interaction, out var detail);
        if (reason == DeadLetterReason.None && retention > TimeSpan.Zero && now - interaction.TimeMs > (long)retention.TotalMilliseconds)
            reason = DeadLetterReason.TooOld;
        return reason == DeadLetterReason.None
            ? new Decoded(interaction, reason, null, null, null, data.Length)
            : new Decoded(
                default, reason, detail, _keyLength < 0 ? null : _key[.._keyLength],
                isNull ? null : data[..Math.Min(data.Length, maxKept)].ToArray(),
                data.Length);
    }

    private static byte[]? Last(Headers headers, string name) => headers.TryGetLastBytes(name, out var value) ? value : null;
}
