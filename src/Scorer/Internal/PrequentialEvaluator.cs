namespace StreamRec.Scorer;

/// <summary>
/// Sums the outcome of testing each event's item against the list its user had before the event happened. One thread adds, any may report.
/// At most <see cref="MaxWindows"/> windows are kept: when they are full, neighbours are merged and windows become twice as long.
/// </summary>
internal sealed class PrequentialEvaluator(int windowEvents)
{
    /// <summary>Even, so that windows merge in pairs.</summary>
    public const int MaxWindows = 512;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, Pair> _byModel = [];
    private readonly List<PrequentialWindow> _windows = [];
    private readonly List<Pair> _windowSums = [];
    private readonly Pair _total = new();
    private Pair _open = new();
    private int _windowEvents = windowEvents;

    /// <param name="version">Model version of the tested list.</param>
    /// <param name="servedRank">1-based place of the item in the served list; 0 when it is not in it.</param>
    /// <param name="popularityRank">The same for windowed popularity at this moment.</param>
    /// <param name="eventMs">Event time.</param>
    public void Add(long version, int servedRank, int popularityRank, long eventMs)
    {
        lock (_lock)
        {
            if (!_byModel.TryGetValue(version, out var model))
                _byModel.Add(version, model = new Pair());
            _total.Add(servedRank, popularityRank);
            model.Add(servedRank, popularityRank);
            _open.Add(servedRank, popularityRank);
            if (_open.Served.N < _windowEvents)
                return;
            _windows.Add(new PrequentialWindow(_total.Served.N, eventMs, version, _open.Served.Mean(), _open.Popularity.Mean()));
            _windowSums.Add(_open);
            _open = new Pair();
            if (_windows.Count == MaxWindows)
                MergePairs();
        }
    }

    public PrequentialReport Report()
    {
        lock (_lock)
        {
            var byModel = _byModel.Select(m => new ModelPrequential(m.Key, m.Value.Served.Mean(), m.Value.Popularity.Mean())).ToArray();
            return new PrequentialReport(_total.Served.Mean(), _total.Popularity.Mean(), byModel, _windows.ToArray());
        }
    }

    private void MergePairs()
    {
        for (var i = 0; i < MaxWindows / 2; i++)
        {
            var (first, second) = (_windowSums[2 * i], _windowSums[(2 * i) + 1]);
            first.Add(second);
            _windowSums[i] = first;
            _windows[i] = _windows[(2 * i) + 1] with { Served = first.Served.Mean(), Popularity = first.Popularity.Mean() };
        }

        _windowSums.RemoveRange(MaxWindows / 2, MaxWindows / 2);
        _windows.RemoveRange(MaxWindows / 2, MaxWindows / 2);
        _windowEvents *= 2;
    }

    private sealed class Pair
    {
        public RankSums Served;
        public RankSums Popularity;

        public void Add(int servedRank, int popularityRank)
        {
            Served.Add(servedRank);
            Popularity.Add(popularityRank);
        }

        public void Add(Pair other)
        {
            Served.Add(other.Served);
            Popularity.Add(other.Popularity);
        }
    }

    private struct RankSums
    {
        public long N;
        private long _hits10;
        private long _hits20;
        private double _ndcg10;
        private double _mrr20;

        public void Add(int rank)
        {
            N++;
            if (rank is < 1 or > 20)
                return;
            _hits20++;
            _mrr20 += 1.0 / rank;
            if (rank > 10)
                return;
            _hits10++;
            _ndcg10 += 1.0 / Math.Log2(rank + 1);
        }

        public void Add(in RankSums other)
        {
            N += other.N;
            _hits10 += other._hits10;
            _hits20 += other._hits20;
            _ndcg10 += other._ndcg10;
            _mrr20 += other._mrr20;
        }

        public readonly PrequentialMetrics Mean() => N == 0
            ? new PrequentialMetrics(0, 0, 0, 0, 0)
            : new PrequentialMetrics(N, (double)_hits10 / N, (double)_hits20 / N, _ndcg10 / N, _mrr20 / N);
    }
}
