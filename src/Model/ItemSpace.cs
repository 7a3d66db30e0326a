using System.Collections.Concurrent;

namespace StreamRec.Model;

/// <summary>
/// Item ids to the indices a <see cref="RankContext"/> uses: the model's items first, then items born after training in the order they are met.
/// One per loaded model. Any thread may look up; interning is serialised by a lock. O(1).
/// </summary>
public sealed class ItemSpace
{
    private readonly ConcurrentDictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private volatile string[] _ids;
    private volatile int _count;

    public ItemSpace(RankingModel model)
    {
        _ids = [.. model.ItemIds];
        _count = _ids.Length;
        for (var i = 0; i < _count; i++)
            _index[_ids[i]] = i;
    }

    public int Count => _count;

    public bool TryGet(string itemId, out int index) => _index.TryGetValue(itemId, out index);

    public string Id(int index) => index < _count ? _ids[index] : throw new ArgumentOutOfRangeException(nameof(index), index, $"{_count} items");

    /// <summary>The item's index, given out now if it has none yet.</summary>
    public int Intern(string itemId)
    {
        if (_index.TryGetValue(itemId, out var index))
            return index;
        lock (_gate)
        {
            if (_index.TryGetValue(itemId, out index))
                return index;
            index = _count;
            if (index == _ids.Length)
            {
                var larger = new string[Math.Max(16, index * 2)];
                _ids.CopyTo(larger, 0);
                _ids = larger;
            }

            _ids[index] = itemId;
            _count = index + 1; // after the id: a reader that sees the count sees the id
            _index[itemId] = index;
            return index;
        }
    }
}
