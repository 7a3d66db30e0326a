using System.Text;

namespace StreamRec.Contracts;

/// <summary>
/// What an id (event, user, item, request) may be: 1 to <c>maxLength</c> bytes of valid UTF-8 without control characters
/// (U+0000..U+001F, U+007F..U+009F). Everything else is allowed: quotes, slashes, spaces, SQL and emoji are just text.
/// </summary>
public static class Ids
{
    /// <summary>Default limit in UTF-8 bytes.</summary>
    public const int MaxLength = 256;

    /// <summary>Bytes must be valid UTF-8 already. Cost O(length), vectorised, no allocation.</summary>
    public static DeadLetterReason Check(ReadOnlySpan<byte> utf8, int maxLength = MaxLength)
    {
        if (utf8.IsEmpty)
            return DeadLetterReason.BadId;
        if (utf8.Length > maxLength)
            return DeadLetterReason.IdTooLong;
        if (utf8.IndexOfAnyInRange((byte)0, (byte)0x1f) >= 0 || utf8.Contains((byte)0x7f))
            return DeadLetterReason.BadId;
        for (var rest = utf8; rest.IndexOf((byte)0xc2) is >= 0 and var at; rest = rest[(at + 2)..])
        {
            if (rest[at + 1] <= 0x9f) // U+0080..U+009F is 0xC2 0x80..0x9F
                return DeadLetterReason.BadId;
        }

        return DeadLetterReason.None;
    }

    public static DeadLetterReason Check(string id, int maxLength = MaxLength)
    {
        if (id.Length > maxLength)
            return DeadLetterReason.IdTooLong;
        Span<byte> utf8 = stackalloc byte[1024];
        if (Encoding.UTF8.GetByteCount(id) > utf8.Length)
            return DeadLetterReason.IdTooLong;
        foreach (var rune in id.EnumerateRunes())
        {
            if (rune == Rune.ReplacementChar && !id.Contains('\ufffd', StringComparison.Ordinal))
                return DeadLetterReason.BadId; // a lone surrogate
        }

        return Check(utf8[..Encoding.UTF8.GetBytes(id, utf8)], maxLength);
    }
}
