using StreamRec.GraphStore;

namespace StreamRec.Scorer;

/// <summary>Where a scorer starts: the live graph as of a snapshot, the snapshot, and how far users.v1 was in it (by partition).</summary>
internal sealed record Resume(LiveGraph Graph, GraphSnapshot Snapshot, IReadOnlyDictionary<int, long> UsersNextOffsets);
