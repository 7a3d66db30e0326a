using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>What stands around the entries of a list.</summary>
internal readonly record struct ListHeader(string? RequestId, string? UserId, Cause? Cause, long GeneratedMs);

/// <summary>
/// Writes the value of recommendations.v1: the JSON that <see cref="WireJson"/> reads as <see cref="RecommendationList"/>, without building one.
/// Allocates the resulting array only. One thread.
/// </summary>
internal sealed class ListWriter(Func<int, string> itemId) : IDisposable
{
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _json =
        new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
    private char[] _reason = new char[256];

    public byte[] Write(in ListHeader header, RankedList list)
    {
        _buffer.ResetWrittenCount();
        _json.Reset(_buffer);
        _json.WriteStartObject();
        if (header.RequestId is not null)
            _json.WriteString("request_id"u8, header.RequestId);
        _json.WriteString("trigger"u8, header.RequestId is null ? "interactions"u8 : "request"u8);
        if (header.UserId is not null)
            _json.WriteString("user_id"u8, header.UserId);
        _json.WriteStartArray("items"u8);
        var rank = 0;
        foreach (ref readonly var entry in list.Entries)
            WriteEntry(entry, ++rank);
        _json.WriteEndArray();
        _json.WriteNumber("model_version"u8, list.ModelVersion);
        _json.WriteString("variant"u8, "champion"u8);
        if (header.Cause is { } cause)
            WriteCause(cause);
        _json.WriteString("generated_at"u8, DateTimeOffset.FromUnixTimeMilliseconds(header.GeneratedMs));
        _json.WriteEndObject();
        _json.Flush();
        return _buffer.WrittenSpan.ToArray();
    }

    public void Dispose() => _json.Dispose();

    private void WriteEntry(in ListEntry entry, int rank)
    {
        _json.WriteStartObject();
        _json.WriteString("item_id"u8, itemId(entry.Item));
        _json.WriteNumber("rank"u8, rank);
        _json.WriteNumber("score"u8, entry.Score);
        _json.WriteString("channel"u8, entry.Channel);
        _json.WriteString("reason"u8, Reason(entry));
        _json.WriteStartArray("evidence"u8);
        for (var i = 0; i < entry.EvidenceCount; i++)
            _json.WriteStringValue(itemId(entry.Evidence[i]));
        _json.WriteEndArray();
        _json.WriteEndObject();
    }

    private void WriteCause(in Cause cause)
    {
        _json.WriteStartObject("caused_by"u8);
        _json.WriteString("topic"u8, cause.Topic);
        _json.WriteNumber("partition"u8, cause.Partition);
        _json.WriteNumber("offset"u8, cause.Offset);
        _json.WriteString("time"u8, DateTimeOffset.FromUnixTimeMilliseconds(cause.BrokerMs));
        _json.WriteEndObject();
    }

    /// <summary>The evidence in words. Valid until the next call.</summary>
    private ReadOnlySpan<char> Reason(in ListEntry entry)
    {
        if (entry.EvidenceCount == 0)
            return Reasons.WithoutEvidence(entry.Channel);
        var length = 0;
        Append(Reasons.BeforeEvidence(entry.Channel), ref length);
        for (var i = 0; i < entry.EvidenceCount; i++)
        {
            if (i > 0)
                Append(", ", ref length);
            Append(itemId(entry.Evidence[i]), ref length);
        }

        return _reason.AsSpan(0, length);
    }

    private void Append(ReadOnlySpan<char> text, ref int length)
    {
        if (length + text.Length > _reason.Length)
            Array.Resize(ref _reason, Math.Max(_reason.Length * 2, length + text.Length));
        text.CopyTo(_reason.AsSpan(length));
        length += text.Length;
    }
}
