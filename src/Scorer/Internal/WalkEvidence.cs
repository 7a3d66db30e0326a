using StreamRec.GraphStore;

namespace StreamRec.Scorer;

/// <summary>
/// Which seeds a walk can have come from: seeds that one of the candidate's newest users has too. Looks at <see cref="Users"/> users of the
/// candidate at most, so the cost per candidate is bounded by that many degree-long scans per seed looked at. One thread.
/// </summary>
internal sealed class WalkEvidence(LiveGraph graph)
{
    private const int Users = 8;
    private const int Seeds = 5;
    private readonly int[] _users = new int[Users];

    /// <summary>Writes up to <see cref="EvidenceItems.Length"/> seeds into the entry, heaviest first.</summary>
    /// <param name="user">The user the list is for; is no witness of their own list. -1 for none.</param>
    /// <param name="seeds">Heaviest first.</param>
    /// <param name="entry">Its item is the candidate.</param>
    public void Find(int user, ReadOnlySpan<(int Item, float Weight)> seeds, ref ListEntry entry)
    {
        var users = _users.AsSpan(0, graph.ItemUsers(entry.Item, _users));
        foreach (var (seed, _) in seeds[..Math.Min(seeds.Length, Seeds)])
        {
            foreach (var other in users)
            {
                if (other == user || !graph.HasSeen(other, seed))
                    continue;
                entry.Evidence[entry.EvidenceCount++] = seed;
                break;
            }

            if (entry.EvidenceCount == EvidenceItems.Length)
                return;
        }
    }
}
