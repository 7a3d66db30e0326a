using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>
/// One model together with everything that is kept in its item indexes: the map, the live counters, the available items. Replaced as a whole at a
/// swap, so no list mixes two models. One thread.
/// </summary>
internal sealed class Serving
{
    private readonly LiveGraph _graph;
    private readonly Catalogue _catalogue;
    private ulong[] _available = [];

    public Serving(RankingModel model, LiveGraph graph, Catalogue catalogue, Serving? previous)
    {
        (Model, _graph, _catalogue) = (model, graph, catalogue);
        Items = new ItemMap(model.ItemIds, graph);
        Walks = model.Channels.Contains(ChannelNames.Walk);
        Counters = previous is null ? new LiveCounters(Items.Count) : Moved(previous);
        RefreshAvailable(0);
    }

    public RankingModel Model { get; }

    public ItemMap Items { get; }

    public LiveCounters Counters { get; }

    /// <summary>Whether this model listens to walks; they cost too much to be made for nothing.</summary>
    public bool Walks { get; }

    /// <summary>Items that are not available; while 0, <see cref="Available"/> need not be looked at.</summary>
    public int Unavailable { get; private set; }

    /// <summary>Bit per space index; covers <see cref="ItemMap.Count"/> items.</summary>
    public ReadOnlySpan<ulong> Available => _available.AsSpan(0, (Items.Count + 63) >> 6);

    public bool IsAvailable(int space) => (_available[space >> 6] >> (space & 63) & 1) != 0;

    /// <summary>To be called after items were interned in the graph. O(new items).</summary>
    public void Extend()
    {
        if (Items.Count == _graph.ItemCount)
            return;
        var first = Items.Count;
        Items.Extend(_graph.ItemCount);
        RefreshAvailable(first);
    }

    /// <summary>To be called after the catalogue's word on a live item has changed.</summary>
    public void AvailabilityChanged(int live)
    {
        Extend();
        var space = Items.ToSpace(live);
        if (IsAvailable(space) == _catalogue.IsAvailable(live))
            return;
        _available[space >> 6] ^= 1UL << (space & 63);
        Unavailable += _catalogue.IsAvailable(live) ? -1 : 1;
    }

    private void RefreshAvailable(int first)
    {
        var words = (Items.Count + 63) >> 6;
        if (words > _available.Length)
            Array.Resize(ref _available, Math.Max(words, _available.Length * 2));
        for (var space = first; space < Items.Count; space++)
        {
            if (_catalogue.IsAvailable(Items.ToLive(space)))
                _available[space >> 6] |= 1UL << (space & 63);
            else
                Unavailable++;
        }
    }

    private LiveCounters Moved(Serving previous)
    {
        var newIndex = new int[previous.Items.Count];
        for (var space = 0; space < newIndex.Length; space++)
            newIndex[space] = Items.ToSpace(previous.Items.ToLive(space));
        return previous.Counters.Reindex(newIndex, Items.Count);
    }
}
