using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>
/// Scratch and result buffers of one ranking call at a time. Any model may use any workspace: buffers grow to what is needed and stay, so the
/// steady state allocates nothing. Not thread-safe: one per thread, or pooled. About items × (channels + 1) × 4 bytes.
/// </summary>
public sealed class RankWorkspace
{
    /// <summary>Evidence items kept per recommended item.</summary>
    public const int MaxEvidence = 3;

    private float[] _scores = [];
    private float[] _user = [], _text = [], _member = [], _copy = [], _hop = [], _drawScores = [];
    private int[] _drawItems = [];
    private OwnItem[] _own = [];
    private int[] _ownIndex = [];
    private int _ownCount;
    private float[] _shares = [];
    private int[] _evidence = [], _evidenceCount = [];
    private RankedItem[] _result = [];
    private int _channels;

    /// <summary>Distinct items of the user's positive history, newest first.</summary>
    public ReadOnlySpan<OwnItem> Own => _own.AsSpan(0, _ownCount);

    public EncoderWorkspace Encoder { get; } = new();

    /// <summary>The last list.</summary>
    public ReadOnlySpan<RankedItem> Result => _result.AsSpan(0, ResultCount);

    internal int ResultCount { get; private set; }
    internal int Items { get; private set; }
    internal float[] Floors { get; private set; } = [];
    internal bool[] Speaks { get; private set; } = [];
    internal ulong[] Blocked { get; private set; } = [];
    internal ulong[] IsCandidate { get; private set; } = [];

    /// <summary>The blend's candidates, then drawn new items that are not among them.</summary>
    internal int[] Candidates { get; private set; } = [];
    internal int CandidateCount { get; set; }

    /// <summary>How many of them are the blend's.</summary>
    internal int BlendCandidates { get; set; }

    /// <summary>New items for the places that are kept for them, best first.</summary>
    internal int DrawnCount { get; set; }
    internal ReadOnlySpan<int> Drawn => _drawItems.AsSpan(0, DrawnCount);
    internal float[] Features { get; private set; } = [];
    internal float[] Hidden { get; private set; } = [];
    internal float[] BlendScores { get; private set; } = [];
    internal float[] HeapScores { get; private set; } = [];
    internal int[] HeapItems { get; private set; } = [];

    /// <summary>
    /// Share of line <paramref name="rank"/>'s score per channel, in the order of <see cref="RankingModel.Channels"/>: how much lower the score
    /// would be with that channel at its floor (for personal: the own-count features at zero as well). The blend is not additive, so shares need
    /// not sum to the score. Valid until the next call.
    /// </summary>
    /// <param name="rank">0-based.</param>
    public ReadOnlySpan<float> Shares(int rank) => _shares.AsSpan(rank * _channels, _channels);

    /// <summary>
    /// Items of the user's history behind line <paramref name="rank"/> (0-based),
    /// strongest first, at most <see cref="MaxEvidence"/>; may be empty.
    /// </summary>
    public ReadOnlySpan<int> Evidence(int rank) => _evidence.AsSpan(rank * MaxEvidence, _evidenceCount[rank]);

    /// <summary>Position of an item in <see cref="Own"/>, −1 if it is not there. O(1).</summary>
    public int OwnIndex(int item)
    {
        var at = (uint)item < (uint)_ownIndex.Length ? _ownIndex[item] : 0;
        return at < _ownCount && _ownCount > 0 && _own[at].Item == item ? at : -1;
    }

    internal Span<float> UserVector(int dim) => Grown(ref _user, dim);

    /// <summary>Zeros; whoever writes to it puts them back.</summary>
    internal Span<float> CopyEvidence(int items) => Grown(ref _copy, items);

    /// <summary>Any content.</summary>
    internal Span<float> HopEvidence(int items) => Grown(ref _hop, items);

    internal Span<float> MemberScores(int items) => Grown(ref _member, items);

    internal Span<float> TextVector(int dim) => Grown(ref _text, dim);

    internal (float[] Scores, int[] Items) DrawBuffers(int count)
    {
        Grown(ref _drawScores, count);
        Grown(ref _drawItems, count);
        return (_drawScores, _drawItems);
    }

    internal Span<float> ChannelScores(int channel) => _scores.AsSpan(channel * Items, Items);

    internal Span<float> SharesOf(int rank) => _shares.AsSpan(rank * _channels, _channels);

    internal Span<int> EvidenceOf(int rank) => _evidence.AsSpan(rank * MaxEvidence, MaxEvidence);

    internal void SetEvidence(int rank, int count) => _evidenceCount[rank] = count;

    /// <summary>Sizes the tables and folds the history into <see cref="Own"/>. O(history + words of the bit sets).</summary>
    internal void Begin(in RankContext context, int items, int channels, ModelConfig config)
    {
        Items = items;
        Grown(ref _scores, items * channels);
        Grown(ref _ownIndex, items);
        if (Floors.Length < channels)
            (Floors, Speaks) = (new float[channels], new bool[channels]);
        var words = (items + 63) >> 6;
        if (Blocked.Length < words)
            (Blocked, IsCandidate) = (new ulong[words], new ulong[words]);
        Blocked.AsSpan(0, words).Clear();
        IsCandidate.AsSpan(0, words).Clear();
        (CandidateCount, BlendCandidates, DrawnCount) = (0, 0, 0);
        FoldHistory(context.History, items, config);
    }

    internal void BeginResult(int k, int channels)
    {
        _channels = channels;
        ResultCount = k;
        Grown(ref _result, k);
        Grown(ref _shares, k * channels);
        Grown(ref _evidence, k * MaxEvidence);
        Grown(ref _evidenceCount, k);
    }

    internal void SetResult(int rank, RankedItem item) => _result[rank] = item;

    internal void FitHeap(int k)
    {
        if (HeapItems.Length < k)
            (HeapScores, HeapItems) = (new float[k], new int[k]);
    }

    internal void FitCandidates(int capacity, int features, int hidden)
    {
        if (Candidates.Length < capacity)
        {
            var larger = new int[capacity];
            Candidates.AsSpan(0, CandidateCount).CopyTo(larger);
            (Candidates, BlendScores) = (larger, new float[capacity]);
        }

        if (Features.Length < capacity * features)
            Features = new float[capacity * features];
        if (Hidden.Length < capacity * hidden)
            Hidden = new float[capacity * hidden];
    }

    private void FoldHistory(ReadOnlySpan<UserEvent> history, int items, ModelConfig config)
    {
        Grown(ref _own, history.Length);
        _ownCount = 0;
        var age = 0;
        var decay = 1f;
        for (var i = history.Length - 1; i >= 0; i--)
        {
            var e = history[i];
            var weight = e.Type < config.EventWeights.Count ? config.EventWeights[e.Type] : 0;
            if ((uint)e.Item >= (uint)items || weight == 0)
                continue;
            var at = OwnIndex(e.Item);
            if (weight > 0)
            {
                if (at < 0)
                    Append(new OwnItem(e.Item, age, weight, weight * decay, e.TimeMs, e.TimeMs, 1));
                else if (_own[at].LastMs == long.MinValue)
                    _own[at] = _own[at] with
                    {
                        Age = age,
                        Weight = weight,
                        Count = _own[at].Count + (weight * decay),
                        LastMs = e.TimeMs,
                        FirstMs = e.TimeMs,
                        Events = 1,
                    };
                else
                {
                    _own[at] = _own[at] with
                    {
                        Weight = Math.Max(_own[at].Weight, weight), Count = _own[at].Count + (weight * decay), FirstMs = e.TimeMs, Events = _own[at].Events + 1,
                    };
                }

                age++;
                decay *= config.PersonalGamma;
            }
            else if (at < 0)
            {
                Append(new OwnItem(e.Item, 0, 0, weight * decay, long.MinValue)); // a debt until an older positive event is met
            }
            else
            {
                _own[at] = _own[at] with { Count = _own[at].Count + (weight * decay) };
            }
        }

        DropNegative();
    }

    private void Append(OwnItem own)
    {
        _ownIndex[own.Item] = _ownCount;
        _own[_ownCount++] = own;
    }

    /// <summary>Items with nothing positive left (all returned, or only disliked) are no history; an item returned once of two stays.</summary>
    private void DropNegative()
    {
        var kept = 0;
        for (var i = 0; i < _ownCount; i++)
        {
            if (_own[i].Weight <= 0 || _own[i].Count <= 0)
                continue;
            _own[kept] = _own[i];
            _ownIndex[_own[kept].Item] = kept;
            kept++;
        }

        _ownCount = kept;
    }

    private static Span<T> Grown<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            array = new T[Math.Max(length, Math.Min(2 * array.Length, length + 1024))];
        return array.AsSpan(0, length);
    }
}
