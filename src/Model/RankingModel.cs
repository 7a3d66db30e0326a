using System.Collections.Frozen;

namespace StreamRec.Model;

/// <summary>
/// A loaded model: what turns one user's history and the live counters into a ranked list. The trainer's evaluation and the scorer call the same
/// <see cref="Rank"/>, so an offline number is about the lists that are served. Immutable and thread-safe; every call works in the caller's
/// <see cref="RankWorkspace"/> and allocates nothing in the steady state.
/// <para>One call: each channel scores all items → z-scores → the best 60 of each channel, the user's own items and the walks are candidates →
/// the <see cref="Blend"/> scores them → best k, with new items in the places that are kept for them (<see cref="NewItemsConfig"/>).</para>
/// </summary>
public sealed class RankingModel
{
    private static readonly string[] BareChannels = [ChannelNames.Popularity, ChannelNames.Trending, ChannelNames.Personal, ChannelNames.Walk];
    private readonly Channel[] _channels;
    private readonly float[] _count;
    private readonly Blend _blend;
    private readonly NewPlaces? _new;
    private readonly ItemFacts _facts;
    private readonly FrozenDictionary<string, int> _index;
    private readonly string[] _items;

    private RankingModel(ModelManifest manifest, string[] items, float[] count, Channel[] channels, Blend blend, ItemFacts facts)
    {
        (Manifest, _items, _count, _channels, _blend, _facts) = (manifest, items, count, channels, blend, facts);
        if (manifest.Config.NewItems is { } kept)
            _new = new NewPlaces(kept, manifest.Config.Channels, count);
        Channels = [.. channels.Select(c => c.Name)];
        _index = items.Index().ToFrozenDictionary(i => i.Item, i => i.Index, StringComparer.Ordinal);
    }

    /// <summary>
    /// Version 0, in service until a model is promoted: live popularity, the person's own counts and walks with fixed weights; no items of its own.
    /// </summary>
    public static RankingModel None { get; } = new(
        new ModelManifest
        {
            Name = "none",
            Version = 0,
            CreatedAt = DateTimeOffset.UnixEpoch,
            Config = new ModelConfig { Channels = BareChannels },
            Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 0, new Dictionary<string, long>()),
        },
        [], [], [.. BareChannels.Select(name => Build(name, null, []))], Blend.Default(BareChannels), ItemFacts.None);

    public ModelManifest Manifest { get; }

    public long Version => Manifest.Version;

    /// <summary>Channel names, in the order of shares and blend features.</summary>
    public IReadOnlyList<string> Channels { get; }

    /// <summary>Item ids; the position is the model item index.</summary>
    public IReadOnlyList<string> ItemIds => _items;

    public int ItemCount => _items.Length;

    /// <summary>Events per item in the data the model was fitted on: breaks ties.</summary>
    public ReadOnlySpan<float> FitCounts => _count;

    public Blend Blend => _blend;

    /// <summary>The graph channel, for explanations; null where the model has none.</summary>
    public GnnChannel? Graph => _channels.OfType<GnnChannel>().FirstOrDefault();

    public bool TryGetItem(string itemId, out int index) => _index.TryGetValue(itemId, out index);

    /// <summary>Loads and verifies an artifact directory.</summary>
    /// <exception cref="InvalidDataException">Corrupt, truncated or inconsistent; the message names file or tensor.</exception>
    public static RankingModel Load(string directory) => From(ModelArtifact.Load(directory));

    /// <summary>From an artifact in memory; the trainer evaluates this way before anything is written. Without blend tensors: fixed weights.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing or does not fit.</exception>
    public static RankingModel From(ModelArtifact artifact)
    {
        var count = artifact.Require(TensorNames.ItemCount, artifact.Items.Length);
        var names = artifact.Manifest.Config.Channels;
        var channels = names.Select(name => Build(name, artifact, count)).ToArray();
        return new RankingModel(artifact.Manifest, artifact.Items, count, channels, Blend.Read(artifact) ?? Blend.Default(names), ItemFacts.Read(artifact));
    }

    /// <summary>The same model with another blend; O(items).</summary>
    public RankingModel With(Blend blend) => new(Manifest, _items, _count, _channels, blend, _facts);

    /// <summary>
    /// The best <paramref name="k"/> items, best first (score descending, ties: fit count descending, then index
    /// ascending), and new items in the places that are kept for them; fewer only when the filters leave fewer.
    /// The span, the shares and the evidence live in <paramref name="workspace"/> until its next call.
    /// </summary>
    public ReadOnlySpan<RankedItem> Rank(in RankContext context, int k, RankWorkspace workspace)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        Prepare(context, k, workspace);
        var n = workspace.CandidateCount;
        var scores = workspace.BlendScores.AsSpan(0, n);
        _blend.Score(workspace.Features.AsSpan(0, n * _blend.Features), workspace.Hidden, scores);
        k = Math.Min(k, workspace.BlendCandidates);
        workspace.FitHeap(k);
        var top = new TopK(workspace.HeapScores.AsSpan(0, k), workspace.HeapItems.AsSpan(0, k), _count);
        for (var i = 0; i < workspace.BlendCandidates; i++)
            top.Offer(scores[i], workspace.Candidates[i]);
        top.Sort();
        workspace.BeginResult(k, _channels.Length);
        Compose(context, workspace.HeapItems.AsSpan(0, k), workspace);
        return workspace.Result;
    }

    /// <summary>The blend's list with drawn new items in their places, each item once; what is displaced moves down.</summary>
    private void Compose(in RankContext context, ReadOnlySpan<int> listed, RankWorkspace workspace)
    {
        var drawn = workspace.Drawn;
        int next = 0, nextDrawn = 0;
        for (var rank = 0; rank < listed.Length; rank++)
        {
            // Whatever stands before one of the two positions has its place already, by one way or the other.
            var isNew = false;
            if (drawn.Length > 0 && _new!.Config.Keeps(rank))
            {
                while (nextDrawn < drawn.Length && listed[..next].Contains(drawn[nextDrawn]))
                    nextDrawn++;
                isNew = nextDrawn < drawn.Length;
            }

            while (!isNew && drawn[..nextDrawn].Contains(listed[next]))
                next++;
            Explain(context, workspace, rank, isNew ? drawn[nextDrawn++] : listed[next++], isNew);
        }
    }

    /// <summary>
    /// Raw scores of one channel over all items of the context, unknown ones at <see cref="Channel.Unknown"/>: for reports of a channel alone.
    /// False when the channel has no opinion; a report then ranks by <see cref="FitCounts"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The model has no such channel.</exception>
    public bool ScoreChannel(string channel, in RankContext context, RankWorkspace workspace, Span<float> scores)
    {
        var at = Array.FindIndex(_channels, c => c.Name == channel);
        if (at < 0)
            throw new ArgumentException($"model v{Version} has no channel '{channel}'; it has {string.Join(", ", Channels)}", nameof(channel));
        workspace.Begin(context, ItemsOf(context), 0, Manifest.Config);
        return _channels[at].Score(context, workspace, scores[..ItemsOf(context)]);
    }

    /// <summary>Channel z-scores, candidates and features into the workspace: the blend's input, also what it learns from.</summary>
    internal void Prepare(in RankContext context, int k, RankWorkspace workspace)
    {
        var items = ItemsOf(context);
        workspace.Begin(context, items, _channels.Length, Manifest.Config);
        for (var c = 0; c < _channels.Length; c++)
        {
            var scores = workspace.ChannelScores(c);
            workspace.Speaks[c] = _channels[c].Score(context, workspace, scores);
            if (!workspace.Speaks[c])
                scores.Clear();
            workspace.Floors[c] = workspace.Speaks[c] ? Blend.Standardise(scores, _channels[c].IsCount) : 0;
        }

        Candidates.Block(context, workspace);
        Candidates.Collect(context, workspace, _channels.Length, Math.Max(k, Manifest.Config.CandidatesPerChannel), _count);
        workspace.BlendCandidates = workspace.CandidateCount;
        if (_new is not null && _new.Config.CountIn(k) > 0)
            AddDrawn(context, k, workspace);
        workspace.FitCandidates(workspace.CandidateCount, _blend.Features, _blend.HiddenUnits);
        BlendFeatures.Gather(context, workspace, _channels.Length, _blend.Features, _facts, _count);
    }

    /// <summary>As many as the list is long: any of the blend's own places may hold one of them already.</summary>
    private void AddDrawn(in RankContext context, int k, RankWorkspace workspace)
    {
        _new!.Draw(context, workspace, k, _count);
        workspace.FitCandidates(workspace.CandidateCount + workspace.Drawn.Length, 0, 0);
        foreach (var item in workspace.Drawn)
            Candidates.Add(workspace, item, default);
    }

    private int ItemsOf(in RankContext context)
    {
        if (context.ItemCount != 0 && context.ItemCount < _items.Length)
            throw new ArgumentException($"the context ranks {context.ItemCount} items, model v{Version} has {_items.Length}", nameof(context));
        return context.ItemCount == 0 ? _items.Length : context.ItemCount;
    }

    private void Explain(in RankContext context, RankWorkspace workspace, int rank, int item, bool isNew)
    {
        int width = _blend.Features, channels = _channels.Length;
        Span<float> features = stackalloc float[width], hidden = stackalloc float[_blend.HiddenUnits], without = stackalloc float[1];
        var at = workspace.Candidates.AsSpan(0, workspace.CandidateCount).IndexOf(item);
        var row = workspace.Features.AsSpan(at * width, width);
        var score = workspace.BlendScores[at];
        var shares = workspace.SharesOf(rank);
        var strongest = 0;
        for (var c = 0; c < channels; c++)
        {
            row.CopyTo(features);
            features[c] = workspace.Floors[c];
            if (_channels[c] is PersonalChannel)
                BlendFeatures.ForgetOwn(features[channels..]);
            _blend.Score(features, hidden, without);
            shares[c] = score - without[0];
            if (shares[c] > shares[strongest])
                strongest = c;
        }

        if (isNew)
            strongest = _new!.Strongest(row);
        workspace.SetResult(rank, new RankedItem(item, score, strongest) { IsNew = isNew });
        workspace.SetEvidence(rank, workspace.Speaks[strongest] ? _channels[strongest].Evidence(context, workspace, item, workspace.EvidenceOf(rank)) : 0);
    }

    private static Channel Build(string name, ModelArtifact? artifact, float[] count) => name switch
    {
        ChannelNames.Popularity or ChannelNames.Trending => new PopularityChannel(name),
        ChannelNames.Personal => new PersonalChannel(),
        ChannelNames.Walk => new WalkChannel(),
        ChannelNames.Gnn when artifact is not null => new GnnChannel(artifact),
        ChannelNames.ItemKnn when artifact is not null => ItemToItemChannel.ItemKnn(artifact, count),
        ChannelNames.Ease when artifact is not null => ItemToItemChannel.Ease(artifact, count),
        ChannelNames.ItemKnnLong when artifact is not null => ItemToItemChannel.ItemKnn(artifact, count, isLong: true),
        ChannelNames.EaseLong when artifact is not null => ItemToItemChannel.Ease(artifact, count, isLong: true),
        ChannelNames.Nearby when artifact is not null => ItemToItemChannel.Nearby(artifact, count),
        ChannelNames.Markov when artifact is not null => ItemToItemChannel.Markov(artifact, count),
        ChannelNames.Text when artifact is not null => new TextChannel(artifact),
        _ => throw new InvalidDataException($"the manifest names channel '{name}', which this version does not know"),
    };
}
