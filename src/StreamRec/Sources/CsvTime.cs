using System.Globalization;

namespace StreamRec.Sources;

/// <summary>The ways a CSV file writes a moment. A time without an offset is UTC.</summary>
public static class CsvTime
{
    // Unix seconds pass 10^11 in the year 5138, Unix milliseconds in March 1973: between the two the reading is clear.
    private const double FirstMilliseconds = 1e11;

    private static readonly string[] Formats =
    [
        "yyyy-MM-dd", "yyyy-MM-dd HH:mm", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss.FFFFFFF", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss",
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
        "yyyy-MM-dd HH:mm:ssK", "yyyy/MM/dd", "yyyy/MM/dd HH:mm:ss",
    ];

    /// <summary>Unix milliseconds UTC, 1970 to 9999; false for anything else. Deliberately no month-day guessing: 03/04/2024 is refused.</summary>
    public static bool TryParse(string text, out long unixMs)
    {
        unixMs = 0;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            if (!(number >= 0 && number <= 253_402_300_799_999))
                return false;
            unixMs = (long)Math.Round(number < FirstMilliseconds ? number * 1000 : number);
            return true;
        }

        if (!DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            return false;
        unixMs = time.ToUnixTimeMilliseconds();
        return unixMs >= 0;
    }
}
