using System.Numerics;
using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>Draws the new items of a list as <see cref="NewItemsConfig"/> says. Immutable.</summary>
internal sealed class NewPlaces
{
    /// <summary>The newest events of a person that a draw depends on.</summary>
    private const int DrawnFrom = 16;
    private const long DayMs = 86_400_000;

    /// <summary>Bit per model item that is not new; items beyond it are.</summary>
    private readonly ulong[] _known;
    private readonly int[] _channels;

    /// <param name="config">Settings.</param>
    /// <param name="channels">Of the model.</param>
    /// <param name="counts">Events per item in the fit part.</param>
    public NewPlaces(NewItemsConfig config, IReadOnlyList<string> channels, ReadOnlySpan<float> counts)
    {
        config.Validate();
        Config = config;
        _channels = [.. channels.Index().Where(c => (config.Channels ?? NewItemsConfig.DefaultChannels).Contains(c.Item)).Select(c => c.Index)];
        _known = new ulong[(counts.Length + 63) >> 6];
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] >= config.BelowEvents)
                _known[i >> 6] |= 1UL << (i & 63);
        }
    }

    public NewItemsConfig Config { get; }

    /// <summary>
    /// New items that are neither blocked nor the person's own, at most <paramref name="wanted"/>, into the workspace's <see cref="RankWorkspace.Drawn"/>.
    /// O(items / 64 + new items).
    /// </summary>
    public void Draw(in RankContext context, RankWorkspace workspace, int wanted, ReadOnlySpan<float> counts)
    {
        var (scores, items) = workspace.DrawBuffers(wanted);
        var top = new TopK(scores.AsSpan(0, wanted), items.AsSpan(0, wanted), counts);
        var seed = SeedOf(context);
        var words = (workspace.Items + 63) >> 6;
        for (var w = 0; w < words; w++)
        {
            var open = ~(workspace.Blocked[w] | (w < _known.Length ? _known[w] : 0));
            if (w == words - 1 && (workspace.Items & 63) != 0)
                open &= (1UL << (workspace.Items & 63)) - 1;
            for (; open != 0; open &= open - 1)
            {
                var item = (w << 6) + BitOperations.TrailingZeroCount(open);
                if (workspace.OwnIndex(item) < 0)
                    Offer(ref top, workspace, seed, item);
            }
        }

        top.Sort();
        workspace.DrawnCount = top.Count;
    }

    /// <summary>The channel that says most for a new item; 0 when none of those that are asked is in the model.</summary>
    /// <param name="row">The item's features; the channels' z-scores are the first.</param>
    public int Strongest(ReadOnlySpan<float> row)
    {
        var strongest = _channels.Length == 0 ? 0 : _channels[0];
        foreach (var c in _channels)
        {
            if (row[c] > row[strongest])
                strongest = c;
        }

        return strongest;
    }

    private void Offer(ref TopK top, RankWorkspace workspace, ulong seed, int item)
    {
        var score = 0f;
        foreach (var c in _channels)
            score += workspace.ChannelScores(c)[item];
        if (Config.Temperature == 0)
        {
            top.Offer(score, item);
            return;
        }

        var bits = Mix(seed + (uint)item) >> 40;
        // Gumbel noise is −log(−log u) ≤ −log(1 − u) for the uniform u below: cheap to
        // bound, dear to compute, and most items stay below the threshold.
        var bound = MathF.Log(2) * (1 + BitOperations.LeadingZeroCount((1UL << 24) - 1 - bits) - 40);
        if (score + (Config.Temperature * bound) < top.Threshold)
            return;
        var uniform = (bits + 0.5) / (1 << 24);
        top.Offer(score + (Config.Temperature * (float)-Math.Log(-Math.Log(uniform))), item);
    }

    private static ulong SeedOf(in RankContext context)
    {
        var seed = Mix((ulong)(context.NowMs / DayMs));
        foreach (var e in context.History[Math.Max(0, context.History.Length - DrawnFrom)..])
            seed = Mix(seed ^ (ulong)e.TimeMs ^ ((ulong)(uint)e.Item << 32));
        return seed;
    }

    /// <summary>One step of SplitMix64 (Steele, Lea and Flood, 2014).</summary>
    private static ulong Mix(ulong state) => EventIds.Mix(state + 0x9E3779B97F4A7C15);
}
