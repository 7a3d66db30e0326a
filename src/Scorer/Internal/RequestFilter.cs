using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Scorer;

/// <summary>
/// Turns a request's filters into what the model takes: a bit set of allowed items and a list of excluded ones, both by space index.
/// Ids nobody knows rule nothing in or out. O(items) when categories are given, O(length of the lists) otherwise. Buffers are reused; one thread.
/// </summary>
internal sealed class RequestFilter(LiveGraph graph, Catalogue catalogue)
{
    private ulong[] _allowed = [];
    private bool[] _wanted = [];

    /// <summary>
    /// Empty when everything known is allowed. Available items only, whatever the request says.
    /// </summary>
    public ReadOnlySpan<ulong> Allowed(Serving serving, RequestFilters? filters)
    {
        var available = serving.Available;
        var anyFilter = filters is not null && (filters.Categories.Count > 0 || filters.Allow.Count > 0);
        if (!anyFilter)
            return serving.Unavailable == 0 ? default : available;
        if (_allowed.Length < available.Length)
            _allowed = new ulong[available.Length + 64];
        var allowed = _allowed.AsSpan(0, available.Length);
        available.CopyTo(allowed);
        if (filters!.Allow.Count > 0)
            KeepListed(serving, filters.Allow, allowed);
        if (filters.Categories.Count > 0)
            KeepCategories(serving, filters.Categories, allowed);
        return allowed;
    }

    /// <summary>Appends the excluded items' space indexes.</summary>
    public void AddExcluded(Serving serving, RequestFilters filters, ref SpanBuffer<int> excluded)
    {
        foreach (var id in filters.Exclude)
        {
            if (graph.TryGetItem(id, out var live))
                excluded.Add(serving.Items.ToSpace(live));
        }
    }

    private void KeepListed(Serving serving, IReadOnlyList<string> ids, Span<ulong> allowed)
    {
        allowed.Clear();
        foreach (var id in ids)
        {
            if (!graph.TryGetItem(id, out var live))
                continue;
            var space = serving.Items.ToSpace(live);
            if (serving.IsAvailable(space))
                allowed[space >> 6] |= 1UL << (space & 63);
        }
    }

    private void KeepCategories(Serving serving, IReadOnlyList<string> categories, Span<ulong> allowed)
    {
        if (_wanted.Length < catalogue.Categories)
            _wanted = new bool[catalogue.Categories + 64];
        Array.Clear(_wanted);
        catalogue.Mark(categories, _wanted);
        for (var space = 0; space < serving.Items.Count; space++)
        {
            if ((allowed[space >> 6] >> (space & 63) & 1) != 0 && !catalogue.IsInAny(serving.Items.ToLive(space), _wanted))
                allowed[space >> 6] &= ~(1UL << (space & 63));
        }
    }
}

/// <summary>A growing buffer that is emptied and filled again without allocating in the steady state.</summary>
internal struct SpanBuffer<T>
{
    private T[]? _items;

    public int Count { get; private set; }

    public readonly ReadOnlySpan<T> Span => _items.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void Add(T item)
    {
        if (_items is null || Count == _items.Length)
            Array.Resize(ref _items, Math.Max(64, Count * 2));
        _items[Count++] = item;
    }
}
