using System.Globalization;

namespace StreamRec.Model;

/// <summary>
/// User attributes as rows of an embedding table. An entry is <c>key=value</c> for a value that enough users share, or <c>key&gt;=x</c> for a band of a
/// number (a user has the highest band they reach). Trainer and scorer encode with the same table, which is part of the artifact. Immutable.
/// </summary>
public sealed class UserAttributes
{
    /// <summary>A key with more different numbers than this is cut into <see cref="Bands"/>.</summary>
    private const int MaxDistinctNumbers = 16;

    /// <summary>Bands of a number, with equally many users each.</summary>
    private const int Bands = 8;

    private readonly Dictionary<string, int> _values = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, List<(double From, int Row)>> _bands = new(StringComparer.Ordinal);

    /// <param name="entries">As in <see cref="ModelConfig.UserAttributes"/>; the position is the row.</param>
    public UserAttributes(IReadOnlyList<string> entries)
    {
        Entries = entries;
        for (var row = 0; row < entries.Count; row++)
        {
            var cut = entries[row].IndexOf(">=", StringComparison.Ordinal);
            if (cut <= 0 || !TryNumber(entries[row][(cut + 2)..], out var from))
            {
                _values[entries[row]] = row;
                continue;
            }

            var key = entries[row][..cut];
            if (!_bands.TryGetValue(key, out var bands))
                _bands[key] = bands = [];
            bands.Add((from, row));
        }
    }

    public IReadOnlyList<string> Entries { get; }

    /// <summary>The table for the given users: values of at least <paramref name="minUsers"/> of them, most frequent first per key.</summary>
    /// <param name="users">Attributes of each user.</param>
    /// <param name="minUsers">A value of fewer users says more about them than about anybody else, so it is left out.</param>
    /// <param name="maxRows">Rows at most.</param>
    public static UserAttributes Learn(IEnumerable<IReadOnlyDictionary<string, string>> users, int minUsers = 10, int maxRows = 256)
    {
        var entries = new List<string>();
        foreach (var key in users.SelectMany(u => u).GroupBy(a => a.Key, a => a.Value, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
            entries.AddRange(IsNumber(key) ? BandsOf(key) : ValuesOf(key, minUsers));
        return new UserAttributes([.. entries.Take(maxRows)]);
    }

    /// <summary>The rows of one user's attributes, ascending; what the table does not know is skipped.</summary>
    public int[] Encode(IReadOnlyDictionary<string, string> attributes)
    {
        var rows = new List<int>(attributes.Count);
        foreach (var (key, value) in attributes)
        {
            if (_bands.TryGetValue(key, out var bands) && TryNumber(value, out var number))
            {
                var reached = bands.FindLastIndex(b => number >= b.From);
                rows.Add(bands[Math.Max(0, reached)].Row);
            }
            else if (_values.TryGetValue($"{key}={value}", out var row))
            {
                rows.Add(row);
            }
        }

        rows.Sort();
        return [.. rows];
    }

    private static bool IsNumber(IEnumerable<string> values)
    {
        var distinct = values.ToHashSet(StringComparer.Ordinal);
        return distinct.Count > MaxDistinctNumbers && distinct.All(v => TryNumber(v, out _));
    }

    private static IEnumerable<string> BandsOf(IGrouping<string, string> key)
    {
        var sorted = key.Select(v => double.Parse(v, CultureInfo.InvariantCulture)).Order().ToArray();
        return Enumerable.Range(0, Bands).Select(b => sorted[b * sorted.Length / Bands]).Distinct()
            .Select(from => string.Create(CultureInfo.InvariantCulture, $"{key.Key}>={from}"));
    }

    private static IEnumerable<string> ValuesOf(IGrouping<string, string> key, int minUsers) =>
        key.GroupBy(v => v, StringComparer.Ordinal).Where(v => v.Count() >= minUsers)
            .OrderByDescending(v => v.Count()).ThenBy(v => v.Key, StringComparer.Ordinal).Select(v => $"{key.Key}={v.Key}");

    private static bool TryNumber(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
}
