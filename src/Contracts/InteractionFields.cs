using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Unicode;

namespace StreamRec.Contracts;

/// <summary>One field as it stood in the message: its token and its text, unescaped. The default is an absent field.</summary>
internal ref struct Field
{
    private bool _set;

    /// <summary><see cref="JsonTokenType.None"/> where the text cannot be unescaped.</summary>
    public JsonTokenType Kind { get; private set; }
    public ReadOnlySpan<byte> Text { get; private set; }
    public bool IsHeader { get; private set; }

    public readonly bool IsAbsent => !_set || Kind == JsonTokenType.Null;

    public void Set(JsonTokenType kind, ReadOnlySpan<byte> text, bool isHeader = false)
    {
        (_set, Kind, IsHeader) = (true, kind, isHeader);
        Text = text;
    }
}

/// <summary>The six fields of an interaction that are read; everything else is skipped.</summary>
internal ref struct Fields
{
    public const int EventId = 0, UserId = 1, ItemId = 2, Type = 3, Time = 4, Value = 5;
    public const int Required = 5, Count = 6;

    private Field _eventId, _userId, _itemId, _type, _time, _value;

    [UnscopedRef]
    public ref Field this[int index]
    {
        get
        {
            switch (index)
            {
                case EventId: return ref _eventId;
                case UserId: return ref _userId;
                case ItemId: return ref _itemId;
                case Type: return ref _type;
                case Time: return ref _time;
                default: return ref _value;
            }
        }
    }

    /// <summary>CloudEvents headers take the place of absent body fields.</summary>
    public void StandIn(in EventHeaders headers)
    {
        StandIn(ref _eventId, headers.Id);
        StandIn(ref _time, headers.Time);
        StandIn(ref _type, headers.Type);
    }

    private static void StandIn(ref Field field, ReadOnlySpan<byte> header)
    {
        if (field.IsAbsent && !header.IsEmpty)
            field.Set(Utf8.IsValid(header) ? JsonTokenType.String : JsonTokenType.None, header, isHeader: true);
    }

    public static string Name(int index) => index switch
    {
        EventId => "event_id",
        UserId => "user_id",
        ItemId => "item_id",
        Type => "type",
        Time => "time",
        _ => "value",
    };

    /// <summary>Which field the reader's property name is; -1 for one that is not read.</summary>
    public static int IndexOf(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
            return IndexOfEscaped(ref reader);
        var name = reader.ValueSpan;
        return name.Length switch
        {
            8 when name.SequenceEqual("event_id"u8) => EventId,
            7 when name.SequenceEqual("user_id"u8) => UserId,
            7 when name.SequenceEqual("item_id"u8) => ItemId,
            4 when name.SequenceEqual("type"u8) => Type,
            4 when name.SequenceEqual("time"u8) => Time,
            5 when name.SequenceEqual("value"u8) => Value,
            _ => -1,
        };
    }

    private static int IndexOfEscaped(ref Utf8JsonReader reader)
    {
        for (var i = 0; i < Count; i++)
        {
            if (reader.ValueTextEquals(Name(i)))
                return i;
        }

        return -1;
    }
}
