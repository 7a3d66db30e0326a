using System.Numerics.Tensors;
using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>
/// Graph vectors of the items times the temporal encoder's user vector: score(i) = user · item.vectors[i] + item.bias[i] [+ <see cref="CopyHead"/>]
/// [+ <see cref="NeighbourHead"/>]. With several members
/// (<see cref="ModelConfig.Members"/>) the mean of their z-scores over the items they know. An item whose vector is all zeros is unknown: it had neither
/// an event nor anything to describe it.
/// </summary>
public sealed class GnnChannel : Channel
{
    private readonly Member[] _members;
    private readonly bool[] _known;
    private readonly int _items, _dim, _knownCount;

    public GnnChannel(ModelArtifact artifact)
    {
        _members = [.. Enumerable.Range(0, artifact.Manifest.Config.Members ?? 1).Select(m => new Member(artifact, m))];
        if (_members.Length == 0)
            throw new InvalidDataException($"model {artifact.Manifest.Name} v{artifact.Manifest.Version}: members is 0");
        (_items, _dim) = (artifact.Items.Length, Encoder.Config.Dim);
        _known = [.. Enumerable.Range(0, _items).Select(i => _members[0].Vectors.AsSpan(i * _dim, _dim).ContainsAnyExcept(0f))];
        _knownCount = _known.Count(k => k);
    }

    public override string Name => ChannelNames.Gnn;

    /// <summary>The first member's.</summary>
    public UserEncoder Encoder => _members[0].Encoder;

    public override bool Score(in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var own = scores[.._items];
        if (!ScoreMember(0, context, workspace, own))
            return false;
        if (_members.Length > 1)
        {
            Standardise(own);
            var other = workspace.MemberScores(_items);
            for (var m = 1; m < _members.Length; m++)
            {
                if (!ScoreMember(m, context, workspace, other))
                    continue;
                Standardise(other);
                TensorPrimitives.Add(own, other, own);
            }

            TensorPrimitives.Divide(own, _members.Length, own);
            // The evidence is told by the first member's attention.
            Encoder.Encode(context.History, context.NowMs, workspace.Encoder, workspace.UserVector(_dim), context.Attributes);
        }

        for (var i = 0; i < _items; i++)
        {
            if (!_known[i])
                own[i] = Unknown;
        }

        scores[_items..].Fill(Unknown);
        return true;
    }

    /// <summary>
    /// History items by (attention of the newest position) × (cosine of their vector with the item's), positive cosines only, plus their share of what the
    /// neighbour head says for the item.
    /// </summary>
    public override int Evidence(in RankContext context, RankWorkspace workspace, int item, Span<int> evidence)
    {
        if (item >= _items)
            return 0;
        Span<float> strengths = stackalloc float[evidence.Length];
        var count = 0;
        var vectors = _members[0].Vectors;
        var target = vectors.AsSpan(item * _dim, _dim);
        for (var t = 0; t < workspace.Encoder.Count; t++)
        {
            var source = context.History[workspace.Encoder.Source[t]].Item;
            if (evidence[..count].Contains(source))
                continue; // rows are oldest first: a repeated item keeps its first place, close enough for a reason
            var cosine = TensorPrimitives.CosineSimilarity(target, vectors.AsSpan(source * _dim, _dim));
            var strength = workspace.Encoder.Attention[t] * MathF.Max(0, cosine);
            if (_members[0].Neighbours is { } neighbours)
                strength += neighbours.Share(context.History, context.NowMs, workspace.Encoder, workspace.UserVector(_dim), item, source);
            count = Keep(strength, source, strengths, evidence, count);
        }

        return count;
    }

    /// <summary>
    /// What each event of the history does for one item's graph score: how much the newest position looks at it, and how much is lost without it.
    /// Cost: one encoder pass per event. Empty when no event of the history is on an item of the model.
    /// </summary>
    /// <param name="context">History, moment and attributes are read.</param>
    /// <param name="item">Model item index.</param>
    /// <exception cref="ArgumentOutOfRangeException">The item is none of the model's.</exception>
    public EventInfluence[] Explain(in RankContext context, int item)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(item, _items);
        var workspace = new EncoderWorkspace();
        var user = new float[_dim];
        if (!_members[0].Encoder.Encode(context.History, context.NowMs, workspace, user, context.Attributes))
            return [];
        var events = new EventInfluence[workspace.Count];
        for (var t = 0; t < events.Length; t++)
            events[t] = new EventInfluence(workspace.Source[t], workspace.Attention[t], 0);
        var whole = MeanScore(context.History, context, item, workspace, user);
        for (var t = 0; t < events.Length; t++)
        {
            var without = context.History.ToArray();
            without = [.. without[..events[t].Position], .. without[(events[t].Position + 1)..]];
            events[t] = events[t] with { Gain = whole - MeanScore(without, context, item, workspace, user) };
        }

        return events;
    }

    /// <summary>user · item + bias and what own edges add, the members' mean; an empty history leaves the bias.</summary>
    private float MeanScore(ReadOnlySpan<UserEvent> history, in RankContext context, int item, EncoderWorkspace workspace, float[] user)
    {
        var sum = 0f;
        foreach (var m in _members)
        {
            sum += m.Bias.Length > 0 ? m.Bias[item] : 0;
            if (!m.Encoder.Encode(history, context.NowMs, workspace, user, context.Attributes))
                continue;
            sum += TensorPrimitives.Dot(user, m.Vectors.AsSpan(item * _dim, _dim));
            if (m.Copy is null && m.Neighbours is null)
                continue;
            float[] heads = new float[_items], evidence = new float[_items];
            m.Copy?.Add(history, context.NowMs, user, evidence, heads);
            m.Neighbours?.Add(history, context.NowMs, workspace, user, evidence, heads);
            sum += heads[item];
        }

        return sum / _members.Length;
    }

    private bool ScoreMember(int member, in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var user = workspace.UserVector(_dim);
        var m = _members[member];
        if (!m.Encoder.Encode(context.History, context.NowMs, workspace.Encoder, user, context.Attributes))
            return false;
        VectorScan.Score(user, m.Vectors, m.Bias, scores);
        m.Copy?.Add(context.History, context.NowMs, user, workspace.CopyEvidence(_items), scores);
        m.Neighbours?.Add(context.History, context.NowMs, workspace.Encoder, user, workspace.HopEvidence(_items), scores);
        return true;
    }

    /// <summary>z-scores over the known items; the others keep whatever they have.</summary>
    private void Standardise(Span<float> scores)
    {
        double sum = 0, squares = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            if (!_known[i])
                continue;
            sum += scores[i];
            squares += (double)scores[i] * scores[i];
        }

        var mean = sum / Math.Max(1, _knownCount);
        var deviation = Math.Sqrt(Math.Max(1e-12, (squares / Math.Max(1, _knownCount)) - (mean * mean)));
        TensorPrimitives.Subtract(scores, (float)mean, scores);
        TensorPrimitives.Divide(scores, (float)deviation, scores);
    }

    private sealed class Member
    {
        public Member(ModelArtifact artifact, int member)
        {
            var prefix = TensorNames.MemberPrefix(member);
            Encoder = new UserEncoder(artifact, member);
            Copy = Encoder.Config.Copy ? new CopyHead(artifact, prefix) : null;
            Neighbours = Encoder.Config.Hops > 0 ? new NeighbourHead(artifact, prefix) : null;
            Vectors = artifact.Require(prefix + TensorNames.ItemVectors, artifact.Items.Length, Encoder.Config.Dim);
            var bias = prefix + TensorNames.ItemBias;
            Bias = artifact.Tensors.ContainsKey(bias) ? artifact.Require(bias, artifact.Items.Length) : [];
        }

        public UserEncoder Encoder { get; }
        public CopyHead? Copy { get; }
        public NeighbourHead? Neighbours { get; }
        public float[] Vectors { get; }
        public float[] Bias { get; }
    }
}

/// <summary>One event's part in one recommendation of the graph channel.</summary>
/// <param name="Position">In the history asked about, oldest first.</param>
/// <param name="Attention">Of the newest position on this event, mean of the last block's heads; sums to 1 over the events read.</param>
/// <param name="Gain">Score with the whole history less score without this event; negative when the event spoke against the item.</param>
public readonly record struct EventInfluence(int Position, float Attention, float Gain);
