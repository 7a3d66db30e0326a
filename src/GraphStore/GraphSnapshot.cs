using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// A consistent copy of the graph as flat arrays: what the trainer learns from and what a scorer's live graph starts from.
/// Interactions are sorted by time (of the same moment by a hash of what they say), so the same graph gives the same arrays whatever order it arrived in.
/// Size: about 21 bytes per interaction plus the ids and texts.
/// </summary>
public sealed record GraphSnapshot
{
    /// <summary>User ids; the position is the dense user index of the arrays below.</summary>
    public required string[] Users { get; init; }

    /// <summary>What is known of each user, in their order; null when nothing is known of anybody.</summary>
    public IReadOnlyDictionary<string, string>[]? Attributes { get; init; }

    /// <summary>
    /// Items with title, text, categories, availability; the position is the dense
    /// item index. Items known only from interactions have an empty title.
    /// </summary>
    public required ItemRecord[] Items { get; init; }

    public required int[] User { get; init; }
    public required int[] Item { get; init; }
    public required byte[] Type { get; init; }

    /// <summary>NaN where the event had no value.</summary>
    public required float[] Value { get; init; }
    public required long[] TimeMs { get; init; }

    /// <summary>Next offset per interactions partition that is not in the snapshot: where a tail reader goes on.</summary>
    public required IReadOnlyDictionary<int, long> NextOffsets { get; init; }

    public int Count => User.Length;
}
