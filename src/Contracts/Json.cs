using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace StreamRec.Contracts;

/// <summary>Source-generated JSON of the wire records: UTF-8, snake_case, unknown fields ignored, no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    Converters = [typeof(AttributesConverter)])]
[JsonSerializable(typeof(ItemRecord))]
[JsonSerializable(typeof(UserRecord))]
[JsonSerializable(typeof(RecommendationRequest))]
[JsonSerializable(typeof(RecommendationList))]
[JsonSerializable(typeof(ModelAnnouncement))]
public sealed partial class WireJson : JsonSerializerContext;

/// <summary>
/// Encoding and safe decoding of the records of items.v1, users.v1, requests.v1, recommendations.v1 and models.v1.
/// Decoding never throws on input: the answer is a record, or a reason (the same as for interactions) and what exactly is wrong.
/// </summary>
public static class Json
{
    /// <summary>Largest k a request may ask for.</summary>
    public const int MaxK = 500;

    public static byte[] Encode(ItemRecord item) => JsonSerializer.SerializeToUtf8Bytes(item, WireJson.Default.ItemRecord);

    public static byte[] Encode(UserRecord user) => JsonSerializer.SerializeToUtf8Bytes(user, WireJson.Default.UserRecord);

    public static byte[] Encode(RecommendationRequest request) => JsonSerializer.SerializeToUtf8Bytes(request, WireJson.Default.RecommendationRequest);

    public static byte[] Encode(RecommendationList list) => JsonSerializer.SerializeToUtf8Bytes(list, WireJson.Default.RecommendationList);

    public static byte[] Encode(ModelAnnouncement model) => JsonSerializer.SerializeToUtf8Bytes(model, WireJson.Default.ModelAnnouncement);

    public static bool TryDecode(ReadOnlySpan<byte> value, [NotNullWhen(true)] out ItemRecord? item, out DeadLetterReason reason, out string? detail)
    {
        if (!Decode(value, WireJson.Default.ItemRecord, out item, out reason, out detail))
            return false;
        item = item with
        {
            Title = item.Title ?? "",
            Categories = Clean(item.Categories),
            Attributes = item.Attributes ?? new Dictionary<string, string>(),
        };
        return CheckId(item.ItemId, "item_id", ref reason, ref detail) || Refuse(out item);
    }

    public static bool TryDecode(ReadOnlySpan<byte> value, [NotNullWhen(true)] out UserRecord? user, out DeadLetterReason reason, out string? detail)
    {
        if (!Decode(value, WireJson.Default.UserRecord, out user, out reason, out detail))
            return false;
        user = user with { Attributes = user.Attributes ?? new Dictionary<string, string>() };
        return CheckId(user.UserId, "user_id", ref reason, ref detail) || Refuse(out user);
    }

    /// <summary>Also checks what a request needs: a user or session items, and k within 1..<see cref="MaxK"/>.</summary>
    public static bool TryDecode(
        ReadOnlySpan<byte> value, [NotNullWhen(true)] out RecommendationRequest? request, out DeadLetterReason reason, out string? detail)
    {
        if (!Decode(value, WireJson.Default.RecommendationRequest, out request, out reason, out detail))
            return false;
        var filters = request.Filters ?? new RequestFilters();
        request = request with
        {
            SessionItems = Clean(request.SessionItems),
            Surface = request.Surface ?? "",
            Filters = new RequestFilters { Categories = Clean(filters.Categories), Exclude = Clean(filters.Exclude), Allow = Clean(filters.Allow) },
        };
        if (!CheckId(request.RequestId, "request_id", ref reason, ref detail))
            return Refuse(out request);
        if (request.UserId is not null && !CheckId(request.UserId, "user_id", ref reason, ref detail))
            return Refuse(out request);
        if (request.UserId is null && request.SessionItems.Count == 0)
            (reason, detail) = (DeadLetterReason.MissingField, "user_id or session_items");
        else if (request.K is < 1 or > MaxK)
            (reason, detail) = (DeadLetterReason.BadValue, $"k is {request.K}, limits 1..{MaxK}");
        return reason == DeadLetterReason.None || Refuse(out request);
    }

    public static bool TryDecode(ReadOnlySpan<byte> value, [NotNullWhen(true)] out RecommendationList? list, out DeadLetterReason reason, out string? detail) =>
        Decode(value, WireJson.Default.RecommendationList, out list, out reason, out detail);

    public static bool TryDecode(ReadOnlySpan<byte> value, [NotNullWhen(true)] out ModelAnnouncement? model, out DeadLetterReason reason, out string? detail) =>
        Decode(value, WireJson.Default.ModelAnnouncement, out model, out reason, out detail);

    private static bool Decode<T>(
        ReadOnlySpan<byte> value, JsonTypeInfo<T> type, [NotNullWhen(true)] out T? record, out DeadLetterReason reason, out string? detail)
        where T : class
    {
        (record, reason, detail) = (null, DeadLetterReason.None, null);
        if (!Utf8.IsValid(value))
        {
            reason = DeadLetterReason.NotUtf8;
            return false;
        }

        try
        {
            record = JsonSerializer.Deserialize(value, type);
            if (record is not null)
                return true;
            (reason, detail) = (DeadLetterReason.MalformedJson, "null");
        }
        catch (JsonException e)
        {
            var missing = e.Message.Contains("missing required properties", StringComparison.Ordinal);
            (reason, detail) = (missing ? DeadLetterReason.MissingField : DeadLetterReason.MalformedJson, e.Message);
        }
        catch (InvalidOperationException e)
        {
            (reason, detail) = (DeadLetterReason.MalformedJson, e.Message); // an escaped lone surrogate
        }

        return false;
    }

    private static bool CheckId(string? id, string field, ref DeadLetterReason reason, ref string? detail)
    {
        reason = id is null ? DeadLetterReason.MissingField : Ids.Check(id);
        if (reason == DeadLetterReason.None)
            return true;
        detail = field;
        return false;
    }

    private static bool Refuse<T>(out T? record)
        where T : class
    {
        record = null;
        return false;
    }

    private static IReadOnlyList<string> Clean(IReadOnlyList<string?>? list) =>
        list is null ? [] : [.. list.Where(s => s is not null).Select(s => s!)];
}
