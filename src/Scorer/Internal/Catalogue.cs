using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>
/// What items.v1 says about items, by the live graph's dense item index. Items never announced are available and have no categories.
/// Written and read by the scoring thread only. Lookups O(1), category tests O(categories of the item).
/// </summary>
internal sealed class Catalogue
{
    private readonly Dictionary<string, int> _codes = new(StringComparer.Ordinal);
    private bool[] _unavailable = new bool[1024];
    private int[]?[] _categories = new int[]?[1024];
    private string?[] _titles = new string?[1024];

    /// <summary>Different categories so far; codes are below it.</summary>
    public int Categories => _codes.Count;

    public void Put(int item, ItemRecord record)
    {
        Ensure(item);
        _unavailable[item] = !record.Available;
        _titles[item] = record.Title;
        _categories[item] = record.Categories.Count == 0 ? null : [.. record.Categories.Select(Code).Distinct()];
    }

    /// <summary>The item's tombstone: in no list until it is announced again.</summary>
    public void Withdraw(int item)
    {
        Ensure(item);
        _unavailable[item] = true;
    }

    public bool IsAvailable(int item) => item >= _unavailable.Length || !_unavailable[item];

    public string TitleOf(int item) => (item < _titles.Length ? _titles[item] : null) ?? "";

    /// <summary>
    /// Marks the wanted categories by code in <paramref name="wanted"/>, which the
    /// caller sizes to <see cref="Categories"/>. Names no item has are ignored.
    /// </summary>
    public void Mark(IReadOnlyList<string> names, bool[] wanted)
    {
        foreach (var name in names)
        {
            if (_codes.TryGetValue(name, out var code))
                wanted[code] = true;
        }
    }

    public bool IsInAny(int item, bool[] wanted)
    {
        if (item >= _categories.Length || _categories[item] is not { } codes)
            return false;
        foreach (var code in codes)
        {
            if (wanted[code])
                return true;
        }

        return false;
    }

    private int Code(string name)
    {
        if (!_codes.TryGetValue(name, out var code))
            _codes.Add(name, code = _codes.Count);
        return code;
    }

    private void Ensure(int item)
    {
        if (item < _unavailable.Length)
            return;
        var size = Math.Max(item + 1, _unavailable.Length * 2);
        Array.Resize(ref _unavailable, size);
        Array.Resize(ref _categories, size);
        Array.Resize(ref _titles, size);
    }
}
