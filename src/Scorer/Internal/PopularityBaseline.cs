using System.Numerics;
using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>
/// Where an item would stand in the list "most events in the last 30 days, without what this user has": the baseline every served list is compared
/// with, on the same event, under the same seen rule. Counts are those of this moment, which favours the baseline: the served list is older.
/// </summary>
internal sealed class PopularityBaseline
{
    private int[] _stamps = [];
    private int _stamp;

    /// <summary>
    /// 1-based rank of the item, 0 when it is not among the first <paramref name="k"/> or had no event in the window. Order: count descending, then
    /// index ascending. Stops at k better items, so it is O(items / vector width) for popular items and O(k) for the rest.
    /// </summary>
    /// <param name="serving">Counters and availability.</param>
    /// <param name="item">Space index of the tested item.</param>
    /// <param name="k">List length.</param>
    /// <param name="seen">
    /// The user's events; items of those before <paramref name="beforeMs"/>
    /// are not in the list. Live indexes; empty when repeats are allowed.
    /// </param>
    /// <param name="beforeMs">The tested event's time.</param>
    public int Rank(Serving serving, int item, int k, ReadOnlySpan<UserEvent> seen, long beforeMs)
    {
        var counts = serving.Counters.Month;
        if (item >= counts.Length || counts[item] == 0 || !serving.IsAvailable(item))
            return 0;
        Stamp(serving, seen, beforeMs);
        var count = counts[item];
        var (better, width) = (0, Vector<int>.Count);
        var limit = Math.Min(counts.Length, serving.Items.Count);
        for (var from = 0; from < limit; from += width)
        {
            var until = Math.Min(from + width, limit);
            if (until - from == width && !Vector.GreaterThanOrEqualAny(new Vector<int>(counts[from..]), new Vector<int>(count)))
                continue;
            for (var i = from; i < until; i++)
            {
                if (counts[i] < count || (counts[i] == count && i >= item) || _stamps[i] == _stamp || !serving.IsAvailable(i))
                    continue;
                if (++better >= k)
                    return 0;
            }
        }

        return better + 1;
    }

    private void Stamp(Serving serving, ReadOnlySpan<UserEvent> seen, long beforeMs)
    {
        if (_stamps.Length < serving.Items.Count)
            Array.Resize(ref _stamps, serving.Items.Count * 2);
        _stamp++;
        foreach (ref readonly var e in seen)
        {
            if (e.TimeMs < beforeMs)
                _stamps[serving.Items.ToSpace(e.Item)] = _stamp;
        }
    }
}
