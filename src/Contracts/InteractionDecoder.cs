using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace StreamRec.Contracts;

/// <summary>
/// Decodes the value of interactions.v1 in one pass, without allocation beyond ids not seen lately. Never throws on input:
/// whatever the bytes are, the answer is an interaction or a reason. Unknown fields are skipped, of duplicate fields the last
/// wins, a null field counts as absent. Not thread-safe (owns a scratch buffer and the id pools): one per consuming thread.
/// </summary>
/// <remarks>
/// When several things are wrong the first of this order is reported: size, encoding, JSON, missing fields
/// (event_id, user_id, item_id, type, time), ids, type, time, value.
/// </remarks>
public sealed class InteractionDecoder
{
    // 9999-12-31T23:59:59.999Z, the last moment every store here can hold.
    private const long MaxTimeMs = 253_402_300_799_999;

    private readonly DecoderOptions _options;
    private readonly (byte[] Name, byte Code)[] _types;
    private readonly Utf8IdPool _users;
    private readonly Utf8IdPool _items;
    private readonly JsonReaderOptions _json;
    private readonly int _slot;
    private readonly byte[] _scratch;

    public InteractionDecoder(DecoderOptions options, EventTypes types)
    {
        _options = options;
        _types = [.. types.All.Select(t => (Encoding.UTF8.GetBytes(t.Name), t.Code))];
        _users = new Utf8IdPool(options.PooledIds);
        _items = new Utf8IdPool(options.PooledIds);
        _json = new JsonReaderOptions { MaxDepth = options.MaxDepth };
        _slot = 6 * (options.MaxIdLength + 1); // one byte takes at most six as an escape; a longer raw text cannot fit the limit
        _scratch = new byte[_slot * Fields.Count];
    }

    /// <summary>Decodes one value. Cost O(length); about 1 microsecond for 200 bytes.</summary>
    /// <param name="value">The record's value; empty stands for a null value.</param>
    /// <param name="headers">CloudEvents headers, or default.</param>
    /// <param name="nowMs">The clock future events are measured against, Unix milliseconds.</param>
    /// <param name="interaction">The event, where the answer is <see cref="DeadLetterReason.None"/>.</param>
    /// <param name="detail">What exactly is wrong: the field's name, or the JSON error. Null when nothing is.</param>
    public DeadLetterReason TryDecode(ReadOnlySpan<byte> value, in EventHeaders headers, long nowMs, out Interaction interaction, out string? detail)
    {
        interaction = default;
        if (value.Length > _options.MaxValueBytes)
        {
            detail = string.Create(CultureInfo.InvariantCulture, $"{value.Length} bytes, limit {_options.MaxValueBytes}");
            return DeadLetterReason.TooLarge;
        }

        if (!Utf8.IsValid(value))
        {
            detail = null;
            return DeadLetterReason.NotUtf8;
        }

        if (value.StartsWith("\uFEFF"u8))
            value = value[3..];
        var fields = default(Fields);
        try
        {
            if (!Read(value, ref fields))
            {
                detail = "not a JSON object";
                return DeadLetterReason.MalformedJson;
            }
        }
        catch (JsonException e)
        {
            detail = e.Message;
            return DeadLetterReason.MalformedJson;
        }

        fields.StandIn(headers);
        return Convert(ref fields, nowMs, out interaction, out detail);
    }

    private bool Read(ReadOnlySpan<byte> value, ref Fields fields)
    {
        var reader = new Utf8JsonReader(value, _json);
        if (value.IsEmpty || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = Fields.IndexOf(ref reader);
            reader.Read();
            if (field >= 0)
                Take(ref reader, ref fields[field], field);
            reader.Skip();
        }

        reader.Read(); // anything but white space after the object throws
        return true;
    }

    private void Take(ref Utf8JsonReader reader, ref Field field, int index)
    {
        field.Set(reader.TokenType, reader.ValueSpan);
        if (reader.TokenType != JsonTokenType.String || !reader.ValueIsEscaped)
            return;
        var slot = _scratch.AsSpan(index * _slot, _slot);
        if (reader.ValueSpan.Length > slot.Length)
            return; // the raw text is over every limit, and so is the unescaped one
        try
        {
            field.Set(JsonTokenType.String, slot[..reader.CopyString(slot)]);
        }
        catch (InvalidOperationException)
        {
            field.Set(JsonTokenType.None, reader.ValueSpan); // an escaped lone surrogate: no text has these code points
        }
    }

    private DeadLetterReason Convert(ref Fields fields, long nowMs, out Interaction interaction, out string? detail)
    {
        interaction = default;
        for (var i = 0; i < Fields.Required; i++)
        {
            detail = Fields.Name(i);
            if (fields[i].IsAbsent)
                return DeadLetterReason.MissingField;
        }

        detail = Fields.Name(Fields.EventId);
        var reason = CheckId(fields[Fields.EventId]);
        if (reason != DeadLetterReason.None)
            return reason;
        detail = Fields.Name(Fields.UserId);
        reason = TryId(_users, fields[Fields.UserId], out var userId);
        if (reason != DeadLetterReason.None)
            return reason;
        detail = Fields.Name(Fields.ItemId);
        reason = TryId(_items, fields[Fields.ItemId], out var itemId);
        if (reason != DeadLetterReason.None)
            return reason;
        if (!TryType(fields[Fields.Type], out var type))
            return Wrong(DeadLetterReason.UnknownType, fields[Fields.Type], out detail);
        reason = TryTime(fields[Fields.Time], nowMs, out var timeMs);
        if (reason != DeadLetterReason.None)
            return Wrong(reason, fields[Fields.Time], out detail);
        if (!TryValue(fields[Fields.Value], out var value))
            return Wrong(DeadLetterReason.BadValue, fields[Fields.Value], out detail);

        detail = null;
        interaction = new Interaction(EventIds.Hash(fields[Fields.EventId].Text), userId, itemId, type, value, timeMs);
        return DeadLetterReason.None;
    }

    /// <summary>Shows the start of what stood there; bytes cut in the middle of a character become U+FFFD.</summary>
    private static DeadLetterReason Wrong(DeadLetterReason reason, in Field field, out string? detail)
    {
        detail = Encoding.UTF8.GetString(field.Text[..Math.Min(field.Text.Length, 64)]);
        return reason;
    }

    private DeadLetterReason CheckId(in Field field) =>
        field.Kind != JsonTokenType.String ? DeadLetterReason.BadId : Ids.Check(field.Text, _options.MaxIdLength);

    private DeadLetterReason TryId(Utf8IdPool pool, in Field field, out string id)
    {
        id = "";
        if (field.Kind != JsonTokenType.String)
            return DeadLetterReason.BadId;
        if (pool.Find(field.Text) is { } known) // only checked ids are in the pool
        {
            id = known;
            return DeadLetterReason.None;
        }

        var reason = Ids.Check(field.Text, _options.MaxIdLength);
        if (reason == DeadLetterReason.None)
            id = pool.Intern(field.Text);
        return reason;
    }

    private bool TryType(in Field field, out byte code)
    {
        code = 0;
        if (field.Kind != JsonTokenType.String)
            return false;
        var name = field.Text;
        if (field.IsHeader && name.LastIndexOf((byte)'.') is >= 0 and var dot)
            name = name[(dot + 1)..];
        foreach (var (known, knownCode) in _types)
        {
            if (!name.SequenceEqual(known))
                continue;
            code = knownCode;
            return true;
        }

        return false;
    }

    private DeadLetterReason TryTime(in Field field, long nowMs, out long timeMs)
    {
        timeMs = 0;
        if (field.Kind == JsonTokenType.Number)
        {
            if (!long.TryParse(field.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out timeMs))
            {
                // 1.7e12 and 1700000000000.0 are whole numbers too, written by producers whose only number type is a double.
                if (!double.TryParse(field.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !(Math.Abs(number) <= MaxTimeMs))
                    return DeadLetterReason.BadTime;
                timeMs = (long)number;
            }
        }
        else if (field.Kind != JsonTokenType.String || !Rfc3339.TryParse(field.Text, out timeMs))
        {
            return DeadLetterReason.BadTime;
        }

        if (timeMs is < 0 or > MaxTimeMs)
            return DeadLetterReason.BadTime;
        return timeMs - nowMs > (long)_options.MaxFutureSkew.TotalMilliseconds ? DeadLetterReason.FutureTime : DeadLetterReason.None;
    }

    private static bool TryValue(in Field field, out float value)
    {
        value = float.NaN;
        if (field.IsAbsent)
            return true;
        return field.Kind == JsonTokenType.Number
            && float.TryParse(field.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
            && float.IsFinite(value);
    }
}
