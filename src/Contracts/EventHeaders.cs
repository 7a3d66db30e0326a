namespace StreamRec.Contracts;

/// <summary>
/// CloudEvents binary-mode headers of a Kafka record. Each stands in for a body field that is absent:
/// <c>ce_id</c> for event_id, <c>ce_time</c> for time, <c>ce_type</c> for type. The body wins where both are there.
/// Empty spans mean the header is absent.
/// </summary>
public readonly ref struct EventHeaders
{
    public const string IdName = "ce_id";
    public const string TimeName = "ce_time";
    public const string TypeName = "ce_type";

    public ReadOnlySpan<byte> Id { get; init; }
    public ReadOnlySpan<byte> Time { get; init; }

    /// <summary>An event type's name, bare (<c>view</c>) or as the last segment of a reverse-DNS name (<c>com.example.shop.view</c>).</summary>
    public ReadOnlySpan<byte> Type { get; init; }
}
