namespace StreamRec.Contracts;

/// <summary>
/// RFC 3339 date-times from UTF-8 without allocation: <c>2024-02-29T23:59:59.123Z</c>, <c>t</c>/space as separator, any number
/// of fraction digits (cut to milliseconds), offset <c>Z</c> or <c>±hh:mm</c>. The offset is required: local times are ambiguous.
/// A leap second (:60) counts as the first second of the next minute.
/// </summary>
public static class Rfc3339
{
    /// <summary>Unix milliseconds UTC; false if the text is not a valid RFC 3339 date-time. Times before 1970 are negative.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out long unixMs)
    {
        unixMs = 0;
        if (text.Length < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' || text[10] is not ((byte)'T' or (byte)'t' or (byte)' '))
            return false;
        if (!Digits(text[..4], out var year) || !Digits(text[5..7], out var month) || !Digits(text[8..10], out var day)
            || !Digits(text[11..13], out var hour) || !Digits(text[14..16], out var minute) || !Digits(text[17..19], out var second))
        {
            return false;
        }

        if (year == 0 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 60)
            return false;
        if (!Fraction(ref text, out var milliseconds) || !Offset(text, out var offsetMinutes))
            return false;
        var seconds = (((DaysFromEpoch(year, month, day) * 24) + hour) * 60 + minute - offsetMinutes) * 60 + second;
        unixMs = (seconds * 1000) + milliseconds;
        return true;
    }

    /// <summary>Reads the optional fraction and leaves the offset in <paramref name="text"/>.</summary>
    private static bool Fraction(ref ReadOnlySpan<byte> text, out int milliseconds)
    {
        milliseconds = 0;
        text = text[19..];
        if (text[0] != '.')
            return true;
        var count = 0;
        for (text = text[1..]; !text.IsEmpty && (uint)(text[0] - '0') <= 9; text = text[1..], count++)
        {
            if (count < 3)
                milliseconds = (milliseconds * 10) + text[0] - '0';
        }

        for (var i = count; i < 3; i++)
            milliseconds *= 10;
        return count > 0;
    }

    private static bool Offset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        if (text.Length == 1)
            return text[0] is (byte)'Z' or (byte)'z';
        if (text.Length != 6 || text[0] is not ((byte)'+' or (byte)'-') || text[3] != ':')
            return false;
        if (!Digits(text[1..3], out var hour) || !Digits(text[4..6], out var minute) || hour > 23 || minute > 59)
            return false;
        minutes = ((hour * 60) + minute) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    private static bool Digits(ReadOnlySpan<byte> text, out int value)
    {
        value = 0;
        foreach (var c in text)
        {
            if ((uint)(c - '0') > 9)
                return false;
            value = (value * 10) + c - '0';
        }

        return true;
    }

    /// <summary>Days since 1970-01-01 in the proleptic Gregorian calendar: years counted from March, eras of 400 years.</summary>
    private static long DaysFromEpoch(int year, int month, int day)
    {
        if (month <= 2)
            year--;
        var era = year / 400;
        var yearOfEra = year - (era * 400);
        var dayOfYear = (((153 * (month + (month > 2 ? -3 : 9))) + 2) / 5) + day - 1;
        return (era * 146_097L) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear - 719_468;
    }
}
