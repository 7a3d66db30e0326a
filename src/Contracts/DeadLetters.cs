namespace StreamRec.Contracts;

/// <summary>Why an event was set aside. <see cref="DeadLetterReasons.Code"/> gives the stable wire code.</summary>
public enum DeadLetterReason
{
    None = 0,
    MalformedJson,
    NotUtf8,
    MissingField,
    UnknownType,
    BadTime,
    BadValue,
    TooLarge,
    IdTooLong,
    BadId,
    FutureTime,

    /// <summary>Older than the retention: its partition may be dropped at any moment.</summary>
    TooOld,

    /// <summary>Its person was erased after it reached the log. Counted only: the record itself is kept nowhere.</summary>
    Erased,
}

/// <summary>Stable snake_case codes of the reasons, as used in headers, metrics and reports.</summary>
public static class DeadLetterReasons
{
    public static string Code(this DeadLetterReason reason) => reason switch
    {
        DeadLetterReason.None => "none",
        DeadLetterReason.MalformedJson => "malformed_json",
        DeadLetterReason.NotUtf8 => "not_utf8",
        DeadLetterReason.MissingField => "missing_field",
        DeadLetterReason.UnknownType => "unknown_type",
        DeadLetterReason.BadTime => "bad_time",
        DeadLetterReason.BadValue => "bad_value",
        DeadLetterReason.TooLarge => "too_large",
        DeadLetterReason.IdTooLong => "id_too_long",
        DeadLetterReason.BadId => "bad_id",
        DeadLetterReason.FutureTime => "future_time",
        DeadLetterReason.TooOld => "too_old",
        DeadLetterReason.Erased => "erased",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "no code"),
    };
}

/// <summary>Header names of deadletters.v1. Values are UTF-8 strings.</summary>
public static class DeadLetterHeaders
{
    public const string SourceTopic = "dl_topic";
    public const string SourcePartition = "dl_partition";
    public const string SourceOffset = "dl_offset";
    public const string Reason = "dl_reason";
    public const string Detail = "dl_detail";

    /// <summary>How often the event has been replayed and set aside again; absent the first time.</summary>
    public const string Replays = "dl_replays";
}
