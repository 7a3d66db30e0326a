using System.Numerics;

namespace StreamRec.Model;

/// <summary>
/// How times and values become embedding rows. Trainer and scorer use these same functions, so that a row means the same on both sides.
/// </summary>
public static class Buckets
{
    /// <summary>Rows of a time table: 0 = no time, 1..31 = powers of two of seconds up to 2^30 (34 years).</summary>
    public const int TimeRows = 32;

    /// <summary>Rows of the value table: 0 = no value, 1..11 = the value rounded to 0..10.</summary>
    public const int ValueRows = 12;

    /// <summary>1 + min(30, floor(log2(1 + seconds))) of a duration; a negative duration (clock skew) counts as 0 seconds. O(1).</summary>
    /// <param name="durationMs">Milliseconds.</param>
    public static int Time(long durationMs)
    {
        var seconds = (ulong)(Math.Max(0, durationMs) / 1000);
        return 1 + Math.Min(TimeRows - 2, BitOperations.Log2(1 + seconds));
    }

    /// <summary>1 + clamp(round(value), 0, 10); 0 for NaN. Halves round to even.</summary>
    public static int Value(float value) =>
        float.IsNaN(value) ? 0 : 1 + (int)Math.Clamp(MathF.Round(value), 0f, ValueRows - 2f);
}
