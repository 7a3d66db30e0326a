using System.Runtime.CompilerServices;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// The newest part of the bipartite graph in memory, both directions, for serving: what a user did lately, who touched an item, random walks.
/// GraphJet's idea (Sharma et al., VLDB 2016): temporal segments of flat arrays, the oldest dropped whole, one writer, lock-free readers, no
/// allocation per edge.
/// <para>Threads: members marked "writer" belong to one thread at a time. All others may be called from any thread at any moment; they never
/// block the writer nor wait for it. A reader sees each edge whole or not at all, and every edge added before its call began (its own event
/// included, if the writer's Add happened before). It may miss edges of a segment that is dropped meanwhile.</para>
/// <para>Layout: a node has 8 headers (one per segment, one cache line, see <see cref="NodeHeader"/>); a header names its storage by tag, so a
/// segment is moved into its compact form header by header while readers go on: both storages stay valid until the last header is over.</para>
/// </summary>
public sealed partial class LiveGraph
{
    internal const int Slots = 8;

    /// <summary>How far ahead of the edge being written a batch fetches: headers, then, once those are there, the cells they point to.</summary>
    private const int HeadersAhead = 24, CellsAhead = 12;
    private readonly int _segmentEdges;
    private readonly IdTable _userIds;
    private readonly IdTable _itemIds;
    private readonly EdgeInfo _info = new();

    /// <summary>Storage by tag; element 0 and those of dropped segments are null.</summary>
    private readonly LiveSegment?[] _segments = new LiveSegment?[NodeHeader.Tags];
    private readonly LiveSegment?[] _window = new LiveSegment?[Slots]; // writer's own view: by slot
    private LiveSegment _active;
    private int _slot;
    private int _lastTag;
    private long _edges;

    public LiveGraph(LiveGraphOptions options)
    {
        options.Validate();
        Options = options;
        _segmentEdges = Math.Max(1, options.MaxEdges / Slots);
        _userIds = new IdTable("user", options.MaxUsers);
        _itemIds = new IdTable("item", options.MaxItems);
        _active = Open(0, LiveSegment.Growing(64, 64));
    }

    /// <summary>The bounds given at construction.</summary>
    public LiveGraphOptions Options { get; }

    /// <summary>Dense user indexes given so far, erased people included.</summary>
    public int UserCount => _userIds.Count;

    public int ItemCount => _itemIds.Count;

    /// <summary>Edges in the window now.</summary>
    public long EdgeCount => Volatile.Read(ref _edges);

    /// <summary>Bytes of the edge and header arrays (ids not counted). O(segments).</summary>
    public long Bytes => UserHeaders.Bytes + ItemHeaders.Bytes + _window.Sum(s => s is null ? 0 : s.Users.Bytes + s.Items.Bytes);

    internal HeaderTable UserHeaders { get; } = new();

    internal HeaderTable ItemHeaders { get; } = new();

    /// <summary>The slot being written: the newest segment. Age grows downwards from it, around the ring.</summary>
    internal int NewestSlot => Volatile.Read(ref _slot);

    /// <summary>A graph holding the snapshot's users, items (same dense indexes as the snapshot's) and its newest edges. About 0.2 µs per edge.</summary>
    public static LiveGraph Load(GraphSnapshot snapshot, LiveGraphOptions options, CancellationToken ct = default)
    {
        var graph = new LiveGraph(options);
        foreach (var user in snapshot.Users)
            graph.InternUser(user);
        foreach (var item in snapshot.Items)
            graph.InternItem(item.ItemId);
        graph.Check(snapshot.User, snapshot.Item);
        for (int from = Math.Max(0, snapshot.Count - options.MaxEdges), end; from < snapshot.Count; from = end)
        {
            ct.ThrowIfCancellationRequested();
            end = from + graph.Room(snapshot.Count - from);
            var part = from..end;
            // Nothing is shared by the two directions but the segment they are in.
            Parallel.Invoke(
                () => graph.AddByUser(
                    snapshot.User.AsSpan(part), snapshot.Item.AsSpan(part), snapshot.Type.AsSpan(part),
                    snapshot.Value.AsSpan(part), snapshot.TimeMs.AsSpan(part)),
                () => graph.AddByItem(snapshot.User.AsSpan(part), snapshot.Item.AsSpan(part)));
            graph.Count(end - from);
        }

        return graph;
    }

    /// <summary>Writer. The user's dense index, new if the id is new. O(1).</summary>
    public int InternUser(string id) => _userIds.Intern(id);

    /// <summary>Writer. The item's dense index, new if the id is new. O(1).</summary>
    public int InternItem(string id) => _itemIds.Intern(id);

    public bool TryGetUser(string id, out int user) => _userIds.TryGet(id, out user);

    public bool TryGetItem(string id, out int item) => _itemIds.TryGet(id, out item);

    /// <exception cref="KeyNotFoundException">The user was erased.</exception>
    public string UserId(int user) => _userIds.Id(user);

    public string ItemId(int item) => _itemIds.Id(item);

    /// <summary>
    /// Writer. Adds one edge in both directions; duplicates are the caller's to filter. Indexes need not be interned (a bench has dense ones),
    /// they must be below the configured maxima. Amortised O(1), no allocation; once per <see cref="LiveGraphOptions.MaxEdges"/> / 8 edges the
    /// full segment is compacted and the oldest dropped, which takes about 50 ns per edge of the segment.
    /// </summary>
    /// <param name="user">Dense user index.</param>
    /// <param name="item">Dense item index.</param>
    /// <param name="type">Code of the event type, 1..31.</param>
    /// <param name="value">Kept exactly while the graph has seen at most 65,536 different values, else to 8 significant bits. NaN = none.</param>
    /// <param name="timeMs">Unix milliseconds, clamped to 1970..2109.</param>
    public void Add(int user, int item, byte type, float value, long timeMs)
    {
        Check(user, item);
        Room(1);
        UserHeaders.Ensure(user);
        ItemHeaders.Ensure(item);
        Append(_active.Users, ref Unsafe.Add(ref UserHeaders.Row(user), _slot), item, _info.Pack(type, value, timeMs));
        Append(_active.Items, ref Unsafe.Add(ref ItemHeaders.Row(item), _slot), user, 0);
        Count(1);
    }

    /// <summary>
    /// Writer. Adds edges in order, as one <see cref="Add(int, int, byte, float, long)"/> each would, several times as fast: an edge is four cache misses, two
    /// headers and the cells they point to, which are fetched while the edges before it are written.
    /// </summary>
    /// <param name="users">Dense user indexes; the other spans are as long.</param>
    /// <param name="items">Dense item indexes.</param>
    /// <param name="types">Codes of the event types.</param>
    /// <param name="values">NaN = none.</param>
    /// <param name="timesMs">Unix milliseconds.</param>
    public void Add(ReadOnlySpan<int> users, ReadOnlySpan<int> items, ReadOnlySpan<byte> types, ReadOnlySpan<float> values, ReadOnlySpan<long> timesMs)
    {
        Check(users, items);
        for (int from = 0, count; from < users.Length; from += count)
        {
            count = Room(users.Length - from);
            AddByUser(users.Slice(from, count), items.Slice(from, count), types.Slice(from, count), values.Slice(from, count), timesMs.Slice(from, count));
            AddByItem(users.Slice(from, count), items.Slice(from, count));
            Count(count);
        }
    }

    /// <summary>How many of so many edges go into the segment being written, after a rotation if it is full.</summary>
    private int Room(int wanted)
    {
        if (_active.Added == _segmentEdges)
            Rotate();
        return Math.Min(wanted, _segmentEdges - _active.Added);
    }

    private void AddByUser(ReadOnlySpan<int> users, ReadOnlySpan<int> items, ReadOnlySpan<byte> types, ReadOnlySpan<float> values, ReadOnlySpan<long> timesMs)
    {
        var pool = _active.Users;
        for (var i = 0; i < users.Length; i++)
        {
            FetchAhead(UserHeaders, pool, users, i);
            UserHeaders.Ensure(users[i]);
            Append(pool, ref Unsafe.Add(ref UserHeaders.Row(users[i]), _slot), items[i], _info.Pack(types[i], values[i], timesMs[i]));
        }
    }

    private void AddByItem(ReadOnlySpan<int> users, ReadOnlySpan<int> items)
    {
        var pool = _active.Items;
        for (var i = 0; i < items.Length; i++)
        {
            FetchAhead(ItemHeaders, pool, items, i);
            ItemHeaders.Ensure(items[i]);
            Append(pool, ref Unsafe.Add(ref ItemHeaders.Row(items[i]), _slot), users[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FetchAhead(HeaderTable headers, EdgePool pool, ReadOnlySpan<int> nodes, int at)
    {
        if (at + HeadersAhead < nodes.Length)
            Memory.Prefetch(ref headers.Row(nodes[at + HeadersAhead]));
        if (at + CellsAhead < nodes.Length)
            pool.PrefetchEnd(Unsafe.Add(ref headers.Row(nodes[at + CellsAhead]), _slot));
    }

    private void Count(int edges)
    {
        _active.Added += edges;
        _active.Live += edges;
        Volatile.Write(ref _edges, _edges + edges);
    }

    /// <summary>Before anything is added: half a batch would be worse than none.</summary>
    private void Check(ReadOnlySpan<int> users, ReadOnlySpan<int> items)
    {
        for (var i = 0; i < users.Length; i++)
            Check(users[i], items[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Check(int user, int item)
    {
        if ((uint)user >= (uint)Options.MaxUsers || (uint)item >= (uint)Options.MaxItems)
            throw new ArgumentOutOfRangeException(nameof(user), $"edge ({user}, {item}) is outside MaxUsers {Options.MaxUsers}, MaxItems {Options.MaxItems}");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Append(EdgePool pool, ref long header, int neighbour, ulong info)
    {
        var degree = NodeHeader.Degree(header);
        var cell = pool.Append(NodeHeader.Position(header), degree, out var position);
        pool.Write(cell, neighbour, info);
        Volatile.Write(ref header, NodeHeader.Pack(_active.Tag, degree + 1, position)); // publishes the cell
    }

    private LiveSegment Open(int slot, LiveSegment segment)
    {
        Register(segment);
        _window[slot] = segment;
        Volatile.Write(ref _slot, slot);
        return segment;
    }

    /// <summary>Gives the segment the next tag. A tag comes back after 31 rotations at the earliest; its headers are gone by then.</summary>
    private void Register(LiveSegment segment)
    {
        do
        {
            _lastTag = (_lastTag % (NodeHeader.Tags - 1)) + 1;
        }
        while (_segments[_lastTag] is not null);
        segment.Tag = _lastTag;
        Volatile.Write(ref _segments[_lastTag], segment);
    }
}
