namespace StreamRec.Model;

/// <summary>
/// The distinct (user, item) pairs of a set of interactions, by user and by item, both sorted; what the closed-form channels are fitted on.
/// 8 bytes a pair beside the offsets.
/// </summary>
public sealed class DistinctPairs
{
    private readonly int[] _userStart, _itemStart;
    private readonly int[] _items, _users;

    private DistinctPairs(int[] userStart, int[] items, int[] itemStart, int[] users) =>
        (_userStart, _items, _itemStart, _users) = (userStart, items, itemStart, users);

    public int Users => _userStart.Length - 1;

    public int Items => _itemStart.Length - 1;

    public int Count => _items.Length;

    /// <summary>Distinct items of a user, ascending.</summary>
    public ReadOnlySpan<int> ItemsOf(int user) => _items.AsSpan(_userStart[user].._userStart[user + 1]);

    /// <summary>Distinct users of an item, ascending.</summary>
    public ReadOnlySpan<int> UsersOf(int item) => _users.AsSpan(_itemStart[item].._itemStart[item + 1]);

    /// <summary>O(n log n) in the number of interactions.</summary>
    /// <param name="user">Dense user index of each interaction.</param>
    /// <param name="item">Dense item index of each interaction; negative ones are skipped.</param>
    /// <param name="users">Number of users.</param>
    /// <param name="items">Number of items.</param>
    public static DistinctPairs From(ReadOnlySpan<int> user, ReadOnlySpan<int> item, int users, int items)
    {
        var keys = new List<long>(user.Length);
        for (var i = 0; i < user.Length; i++)
        {
            if (item[i] >= 0)
                keys.Add(((long)user[i] << 32) | (uint)item[i]);
        }

        keys.Sort();
        var userStart = new int[users + 1];
        var itemStart = new int[items + 1];
        var byUser = new List<int>(keys.Count);
        for (var i = 0; i < keys.Count; i++)
        {
            if (i > 0 && keys[i] == keys[i - 1])
                continue;
            byUser.Add((int)keys[i]);
            userStart[(int)(keys[i] >> 32) + 1]++;
            itemStart[(int)keys[i] + 1]++;
        }

        for (var i = 0; i < users; i++)
            userStart[i + 1] += userStart[i];
        for (var i = 0; i < items; i++)
            itemStart[i + 1] += itemStart[i];
        var byItem = new int[byUser.Count];
        var next = itemStart.AsSpan(0, items).ToArray();
        for (var u = 0; u < users; u++)
        {
            for (var k = userStart[u]; k < userStart[u + 1]; k++)
                byItem[next[byUser[k]]++] = u;
        }

        return new DistinctPairs(userStart, [.. byUser], itemStart, byItem);
    }
}
