using System.Numerics.Tensors;

namespace StreamRec.Model;

/// <summary>Live count of positive events per item in a window of <see cref="LiveCounters"/>.</summary>
public sealed class PopularityChannel : Channel
{
    private readonly bool _day;

    /// <param name="name"><see cref="ChannelNames.Popularity"/> (30 days) or <see cref="ChannelNames.Trending"/> (1 day).</param>
    public PopularityChannel(string name) =>
        (Name, _day) = (name, name switch
        {
            ChannelNames.Popularity => false,
            ChannelNames.Trending => true,
            _ => throw new ArgumentException($"'{name}' is no window of the live counters", nameof(name)),
        });

    public override string Name { get; }
    public override bool IsCount => true;

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var counts = _day ? context.Counters.Day : context.Counters.Month;
        var known = Math.Min(counts.Length, scores.Length);
        TensorPrimitives.ConvertTruncating(counts[..known], scores);
        scores[known..].Clear();
        return true;
    }
}

/// <summary>
/// The person's own counts, decayed per own event by <see cref="ModelConfig.PersonalGamma"/>; 0 for every other item. On shops, where most of what
/// is bought was bought before, this beats every trained model.
/// </summary>
public sealed class PersonalChannel : Channel
{
    public override string Name => ChannelNames.Personal;
    public override bool IsCount => true;

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        if (workspace.Own.IsEmpty)
            return false;
        scores.Clear();
        foreach (var own in workspace.Own)
            scores[own.Item] = own.Count;
        return true;
    }

    public override int Evidence(in RankContext context, RankWorkspace workspace, int item, Span<int> evidence)
    {
        if (evidence.IsEmpty || workspace.OwnIndex(item) < 0)
            return 0;
        evidence[0] = item;
        return 1;
    }
}

/// <summary>Visit counts of random walks on the live graph, handed in by the caller.</summary>
public sealed class WalkChannel : Channel
{
    public override string Name => ChannelNames.Walk;
    public override bool IsCount => true;

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        if (context.Walks.IsEmpty)
            return false;
        scores.Clear();
        foreach (var walk in context.Walks)
        {
            if ((uint)walk.Item < (uint)scores.Length)
                scores[walk.Item] = walk.Score;
        }

        return true;
    }
}
