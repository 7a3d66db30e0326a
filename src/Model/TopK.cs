using System.Numerics;

namespace StreamRec.Model;

/// <summary>
/// The best k of a stream of (score, item), in the order of every list here: score descending, then events in the fit part descending, then
/// item index ascending. A bounded min-heap in caller-owned arrays: O(n + m log k) for m entries that ever beat the worst kept.
/// </summary>
internal ref struct TopK
{
    private readonly Span<float> _scores;
    private readonly Span<int> _items;
    private readonly ReadOnlySpan<float> _tieCount;
    private int _count;

    /// <param name="scores">Scratch and output, k long.</param>
    /// <param name="items">Scratch and output, k long.</param>
    /// <param name="tieCount">Events per item in the fit part; items beyond its end have 0.</param>
    public TopK(Span<float> scores, Span<int> items, ReadOnlySpan<float> tieCount)
    {
        _scores = scores;
        _items = items;
        _tieCount = tieCount;
    }

    public readonly int Count => _count;

    /// <summary>Below this nothing gets in.</summary>
    public readonly float Threshold => _count < _items.Length ? float.NegativeInfinity : _scores[0];

    public void Offer(float score, int item)
    {
        if (_count < _items.Length)
        {
            var i = _count++;
            (_scores[i], _items[i]) = (score, item);
            while (i > 0 && Before((i - 1) / 2, i))
            {
                Swap(i, (i - 1) / 2);
                i = (i - 1) / 2;
            }
        }
        else if (_items.Length > 0 && Before(score, item, _scores[0], _items[0]))
        {
            (_scores[0], _items[0]) = (score, item);
            Sink(0, _count);
        }
    }

    /// <summary>
    /// Offers scores[i] as item i for every i with scores[i] &gt; floor whose bit in
    /// <paramref name="blocked"/> is 0; whole vectors below the threshold are skipped.
    /// </summary>
    public void OfferAll(ReadOnlySpan<float> scores, ReadOnlySpan<ulong> blocked, float floor)
    {
        var width = Vector<float>.Count;
        var i = 0;
        for (; i + width <= scores.Length; i += width)
        {
            if (Vector.GreaterThanOrEqualAny(new Vector<float>(scores[i..]), new Vector<float>(Threshold)))
                OfferRange(scores, blocked, floor, i, i + width);
        }

        OfferRange(scores, blocked, floor, i, scores.Length);
    }

    private void OfferRange(ReadOnlySpan<float> scores, ReadOnlySpan<ulong> blocked, float floor, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            if (scores[i] > floor && scores[i] >= Threshold && (blocked[i >> 6] >> (i & 63) & 1) == 0)
                Offer(scores[i], i);
        }
    }

    /// <summary>Orders what is kept, best first; the heap is spent.</summary>
    public readonly void Sort()
    {
        for (var last = _count - 1; last > 0; last--)
        {
            Swap(0, last);
            Sink(0, last);
        }
    }

    private readonly void Sink(int i, int count)
    {
        while (true)
        {
            var child = (2 * i) + 1;
            if (child >= count)
                return;
            if (child + 1 < count && Before(child, child + 1))
                child++;
            if (!Before(i, child))
                return;
            Swap(i, child);
            i = child;
        }
    }

    private readonly void Swap(int a, int b)
    {
        (_scores[a], _scores[b]) = (_scores[b], _scores[a]);
        (_items[a], _items[b]) = (_items[b], _items[a]);
    }

    private readonly bool Before(int a, int b) => Before(_scores[a], _items[a], _scores[b], _items[b]);

    private readonly bool Before(float score, int item, float otherScore, int otherItem)
    {
        if (score != otherScore)
            return score > otherScore;
        float count = item < _tieCount.Length ? _tieCount[item] : 0, other = otherItem < _tieCount.Length ? _tieCount[otherItem] : 0;
        return count != other ? count > other : item < otherItem;
    }
}
