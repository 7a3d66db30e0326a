namespace StreamRec.Model;

/// <summary>
/// One opinion about every item for one user at one moment. Implementations are immutable and thread-safe; what they need per call is in the
/// workspace. Adding one: implement this, name it in <see cref="ChannelNames"/>, build it in <see cref="RankingModel"/>.
/// </summary>
public abstract class Channel
{
    /// <summary>The score of an item the channel knows nothing about. It is ranked with the worst known one.</summary>
    public const float Unknown = float.NegativeInfinity;

    /// <summary>One of <see cref="ChannelNames"/>.</summary>
    public abstract string Name { get; }

    /// <summary>Counts with a long tail: the blend takes log(1 + x) first.</summary>
    public virtual bool IsCount => false;

    /// <summary>
    /// Writes a score for each item. False: no opinion at all (no usable history); the content of <paramref name="scores"/> is then undefined.
    /// No allocation.
    /// </summary>
    /// <param name="context">The question.</param>
    /// <param name="workspace">Begun with the same context.</param>
    /// <param name="scores">One per item of the context's item space.</param>
    public abstract bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores);

    /// <summary>
    /// The items of the user's own history that this channel's score of <paramref name="item"/> rests on, strongest first; returns how many were
    /// written. Valid after <see cref="Score"/> with the same workspace.
    /// </summary>
    public virtual int Evidence(in RankContext context, RankWorkspace workspace, int item, Span<int> evidence) => 0;

    /// <summary>Keeps the strongest positive (strength, item) pairs, sorted; for implementations of <see cref="Evidence"/>.</summary>
    private protected static int Keep(float strength, int item, Span<float> strengths, Span<int> items, int count)
    {
        if (strength <= 0 || items.IsEmpty || (count == items.Length && strength <= strengths[count - 1]))
            return count;
        var at = count < items.Length ? count++ : count - 1;
        for (; at > 0 && strengths[at - 1] < strength; at--)
            (strengths[at], items[at]) = (strengths[at - 1], items[at - 1]);
        (strengths[at], items[at]) = (strength, item);
        return count;
    }
}
