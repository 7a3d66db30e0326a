using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>Catalogue records as messages for items.v1.</summary>
internal static class ItemMessages
{
    public static SourceMessage Of(ItemRecord item, long timeMs) => new()
    {
        Topic = SourceTopic.Items,
        Key = item.ItemId,
        TimeMs = timeMs,
        Value = Json.Encode(item),
        Item = item,
    };
}
