using StreamRec.GraphStore;

namespace StreamRec.Scorer;

/// <summary>
/// The live graph's dense item indexes ("live") beside the indexes one model ranks by ("space"): the model's items first, in the order of its
/// items.json, then every other item the graph knows, in the order met. A new map is made per model; it grows as items are born. One thread.
/// </summary>
internal sealed class ItemMap
{
    private int[] _toSpace;
    private int[] _toLive;
    private int _known; // live indexes below this are mapped

    /// <summary>Interns the model's items in the graph, so that items nobody has touched yet can be recommended too. O(items of model and graph).</summary>
    public ItemMap(IReadOnlyList<string> modelItems, LiveGraph graph)
    {
        var live = new int[modelItems.Count];
        for (var i = 0; i < live.Length; i++)
            live[i] = graph.InternItem(modelItems[i]);
        _toLive = new int[Math.Max(64, graph.ItemCount)];
        _toSpace = new int[Math.Max(64, graph.ItemCount)];
        Array.Fill(_toSpace, -1);
        foreach (var item in live)
            Append(item);
        Extend(graph.ItemCount);
    }

    /// <summary>Items to rank over.</summary>
    public int Count { get; private set; }

    public int ToSpace(int live) => _toSpace[live];

    public int ToLive(int space) => _toLive[space];

    /// <summary>Gives every live item below <paramref name="liveCount"/> its place. O(new items).</summary>
    public void Extend(int liveCount)
    {
        if (liveCount > _toSpace.Length)
        {
            var old = _toSpace.Length;
            Array.Resize(ref _toSpace, Math.Max(liveCount, old * 2));
            Array.Resize(ref _toLive, _toSpace.Length);
            _toSpace.AsSpan(old).Fill(-1);
        }

        for (; _known < liveCount; _known++)
        {
            if (_toSpace[_known] < 0)
                Append(_known);
        }
    }

    private void Append(int live)
    {
        _toSpace[live] = Count;
        _toLive[Count++] = live;
    }
}
