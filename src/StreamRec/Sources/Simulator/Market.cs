namespace StreamRec.Sources.Simulator;

/// <summary>
/// The simulated catalogue on a clock, and the law by which a person chooses from it. For a user u with taste T, at time t, over the
/// items on sale that u has not seen:
/// <code>
/// p(i) = (1 - r) * softmax_i( T[topic_i] + 0.35 T[topic2_i] + T[style_i] + 0.4 T[style2_i] + quality_i + trend_topic(t) + viral_i(t) )
///      +      r  * softmax over i in the previous item's series ( quality_i + 0.5 T[style2_i] )
/// </code>
/// with r = 0.45 within a session and 0 at its start. The law is all there is to know: an oracle that ranks by p has the best
/// hit rate any recommender can have here. One call costs O(items on sale), about 20 microseconds for 1,600.
/// </summary>
internal sealed class Market
{
    private const double SeriesShare = 0.45;
    private const int Top = 10;

    private readonly SimItem[] _items;
    private readonly List<SimItem> _onSale = [];
    private readonly List<SimItem>[] _series;
    private readonly PriorityQueue<(SimItem Item, bool Birth), long> _changes = new();
    private readonly float[] _topicTrend = new float[Vocabulary.Topics.Length];
    private readonly float[] _viral;
    private readonly double[] _weights;
    private readonly Random _random;
    private long _trendHour = long.MinValue;

    public Market(SimulatorOptions options, Random random)
    {
        _random = random;
        var seriesCount = Math.Max(Vocabulary.Topics.Length, options.Items / 12);
        _series = new List<SimItem>[seriesCount];
        for (var s = 0; s < seriesCount; s++)
            _series[s] = [];
        _items = new SimItem[options.Items];
        _viral = new float[options.Items];
        _weights = new double[options.Items];
        var start = options.Start.ToUnixTimeMilliseconds();
        for (var i = 0; i < _items.Length; i++)
        {
            _items[i] = SimItem.Create(i, seriesCount, options, random);
            if (_items[i].BornMs <= start)
                Enter(_items[i]);
            else
                _changes.Enqueue((_items[i], true), _items[i].BornMs);
        }
    }

    public IReadOnlyList<SimItem> OnSale => _onSale;

    /// <summary>Births and withdrawals up to a moment, oldest first, each made effective as it is yielded; then trends move on.</summary>
    public IEnumerable<(SimItem Item, bool Birth, long TimeMs)> AdvanceTo(long timeMs)
    {
        while (_changes.TryPeek(out var change, out var at) && at <= timeMs)
        {
            _changes.Dequeue();
            if (change.Birth)
                Enter(change.Item);
            else
                Leave(change.Item);
            yield return (change.Item, change.Birth, at);
        }

        if (timeMs / 3_600_000 != _trendHour)
            MoveTrends(timeMs / 3_600_000);
    }

    /// <summary>Draws one item by the law above and says what an oracle knew; null when the user has seen everything.</summary>
    public (SimItem Item, ChoiceTruth Truth)? Choose(SimUser user)
    {
        var total = TasteWeights(user);
        if (total <= 0)
            return null;
        AddSeries(user, ref total);
        var draw = _random.NextDouble() * total;
        SimItem? chosen = null;
        Span<double> top = stackalloc double[Top];
        top.Clear();
        foreach (var item in _onSale)
        {
            var weight = _weights[item.Index];
            if (weight <= 0)
                continue;
            Keep(top, weight);
            if (draw < 0)
                continue;
            draw -= weight;
            chosen = item;
        }

        var mass = 0.0;
        foreach (var weight in top)
            mass += weight;
        return (chosen!, new ChoiceTruth(_weights[chosen!.Index] / total, Rank(chosen), mass / total));
    }

    /// <summary>How well an item suits a user, in the law's log-odds, trends left out.</summary>
    public static float Affinity(SimUser user, SimItem item)
    {
        var taste = user.Taste;
        var styles = Vocabulary.Topics.Length;
        return taste[item.Topic] + (0.35f * taste[item.SecondTopic]) + taste[styles + item.Style] + (0.4f * taste[styles + item.SecondStyle]) + item.Quality;
    }

    private double TasteWeights(SimUser user)
    {
        var total = 0.0;
        foreach (var item in _onSale)
        {
            var weight = user.Seen.Contains(item.Index) ? 0 : Math.Exp(Affinity(user, item) + _topicTrend[item.Topic] + _viral[item.Index]);
            _weights[item.Index] = weight;
            total += weight;
        }

        return total;
    }

    private void AddSeries(SimUser user, ref double total)
    {
        if (user.Previous is null)
            return;
        var series = _series[user.Previous.Series];
        var seriesTotal = 0.0;
        foreach (var item in series)
            seriesTotal += SeriesWeight(user, item);
        if (seriesTotal <= 0)
            return;
        // Scaled so that the series' part is SeriesShare of the whole.
        var scale = total * SeriesShare / (1 - SeriesShare) / seriesTotal;
        foreach (var item in series)
            _weights[item.Index] += scale * SeriesWeight(user, item);
        total += scale * seriesTotal;
    }

    private static double SeriesWeight(SimUser user, SimItem item) =>
        user.Seen.Contains(item.Index) ? 0 : Math.Exp(item.Quality + (0.5f * user.Taste[Vocabulary.Topics.Length + item.SecondStyle]));

    private int Rank(SimItem chosen)
    {
        var own = _weights[chosen.Index];
        var rank = 1;
        foreach (var item in _onSale)
        {
            if (_weights[item.Index] > own)
                rank++;
        }

        return rank;
    }

    private static void Keep(Span<double> top, double weight)
    {
        if (weight <= top[^1])
            return;
        var at = top.Length - 1;
        for (; at > 0 && top[at - 1] < weight; at--)
            top[at] = top[at - 1];
        top[at] = weight;
    }

    private void Enter(SimItem item)
    {
        _onSale.Add(item);
        _series[item.Series].Add(item);
        if (item.DiesMs != long.MaxValue)
            _changes.Enqueue((item, false), item.DiesMs);
    }

    private void Leave(SimItem item)
    {
        _onSale.Remove(item);
        _series[item.Series].Remove(item);
    }

    /// <summary>Trends fade by the hour; now and then a topic catches on for some days, or a single item for hours.</summary>
    private void MoveTrends(long hour)
    {
        var hours = _trendHour == long.MinValue ? 1 : hour - _trendHour;
        _trendHour = hour;
        var topicFade = MathF.Pow(0.99f, hours);
        var viralFade = MathF.Pow(0.97f, hours);
        for (var t = 0; t < _topicTrend.Length; t++)
            _topicTrend[t] *= topicFade;
        for (var i = 0; i < _viral.Length; i++)
            _viral[i] *= viralFade;
        if (_random.NextDouble() < 1 - Math.Exp(-hours / 60.0))
            _topicTrend[_random.Next(_topicTrend.Length)] = 1.2f;
        if (_random.NextDouble() < 1 - Math.Exp(-hours / 6.0))
            _viral[_onSale[_random.Next(_onSale.Count)].Index] = 2.5f;
    }
}
