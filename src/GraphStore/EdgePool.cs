using System.Numerics;
using System.Runtime.CompilerServices;

namespace StreamRec.GraphStore;

/// <summary>
/// The edges of one segment in one direction, in two flat arrays. While the segment is written a node's edges lie in slices of 2, 4, 8 …
/// cells (degrees are power-law distributed, so most nodes need the first slice and few need many); each slice but the first has, in the
/// cell before it, the start of the slice before. Half of a node's edges are in its newest slice, so reaching a random edge follows one link
/// on average. A frozen pool has one contiguous run per node and no slack. After GraphJet (Sharma et al., VLDB 2016), whose pools are per slice size.
/// One writer; a reader that got a position from a published header sees the cells up to it.
/// </summary>
internal sealed class EdgePool
{
    private int[] _neighbour;
    private ulong[] _info;
    private int _next = 1; // position 0 stays unused, so that a packed header is never 0
    private readonly bool _frozen;

    /// <param name="capacity">Cells to start with; grows by half as needed.</param>
    /// <param name="withInfo">False where the direction needs the neighbour only.</param>
    /// <param name="frozen">True: one contiguous run per node, of known length.</param>
    public EdgePool(int capacity, bool withInfo, bool frozen)
    {
        capacity = Math.Max(capacity, 64);
        _neighbour = Memory.Allocate<int>(capacity);
        _info = withInfo ? Memory.Allocate<ulong>(capacity) : [];
        _frozen = frozen;
    }

    public int Used => _next;

    public long Bytes => ((long)_neighbour.Length * sizeof(int)) + ((long)_info.Length * sizeof(ulong));

    /// <summary>To be read after the header: it then covers the header's positions.</summary>
    public int[] Neighbours => Volatile.Read(ref _neighbour);

    public ulong[] Infos => Volatile.Read(ref _info);

    /// <summary>Writer: the cell for edge number <paramref name="degree"/> of a node, and the node's new position. May grow the arrays.</summary>
    public int Append(int position, int degree, out int newPosition)
    {
        var slice = SliceOf(degree);
        var inSlice = degree - Before(slice);
        if (inSlice == 0)
        {
            var cells = (2 << slice) + (slice == 0 ? 0 : 1);
            Reserve(cells);
            if (slice == 0)
            {
                newPosition = _next;
            }
            else
            {
                _neighbour[_next] = position;
                newPosition = _next + 1;
            }

            _next += cells;
            return newPosition;
        }

        newPosition = position;
        return position + inSlice;
    }

    /// <summary>Writer: fetches the cell a node's next edge goes to, if it is in a slice there is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchEnd(long header)
    {
        var degree = NodeHeader.Degree(header);
        var cell = NodeHeader.Position(header) + degree - Before(SliceOf(degree));
        if ((uint)cell >= (uint)_neighbour.Length)
            return;
        Memory.Prefetch(ref _neighbour[cell]);
        if (_info.Length > 0)
            Memory.Prefetch(ref _info[cell]);
    }

    /// <summary>Writer: fetches a node's newest slice, and the link to the one before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchRun(int position)
    {
        Memory.Prefetch(ref _neighbour[position - 1]);
        if (_info.Length > 0)
            Memory.Prefetch(ref _info[position]);
    }

    /// <summary>Writer, frozen pools: room for a whole run.</summary>
    public int AppendRun(int degree)
    {
        Reserve(degree);
        var position = _next;
        _next += degree;
        return position;
    }

    public void Write(int cell, int neighbour, ulong info)
    {
        _neighbour[cell] = neighbour;
        if (_info.Length > 0)
            _info[cell] = info;
    }

    /// <summary>
    /// The cell of a node's <paramref name="edge"/>-th oldest edge in this
    /// segment. O(1); in a pool being written O(log degree), 1 link on average.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int CellOf(int[] neighbours, int position, int degree, int edge)
        => _frozen ? position + edge : CellInSlices(neighbours, position, degree, edge);

    /// <summary>
    /// The cell of an edge, or, where older slices come before it, the cell with the link to the next of
    /// them: then <paramref name="links"/> are to be followed and the edge is <paramref name="rest"/> cells
    /// behind the start of the last. For who has other things to do while a link is fetched.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int CellOrLink(int position, int degree, int edge, out int links, out int rest)
    {
        (links, rest) = (0, edge);
        if (_frozen)
            return position + edge;
        links = LinksTo(degree, edge, out rest);
        return links == 0 ? position + rest : position - 1;
    }

    /// <summary>Writer: the position of a node whose degree shrinks to <paramref name="kept"/>: where the slice of its new last edge starts.</summary>
    public int PositionFor(int[] neighbours, int position, int degree, int kept)
        => _frozen ? position : CellInSlices(neighbours, position, degree, Before(SliceOf(kept - 1)));

    /// <summary>Writer: copies a node's edges, oldest first, into a run of a frozen pool.</summary>
    public void CopyRun(int position, int degree, EdgePool target, int to)
    {
        for (var slice = SliceOf(degree - 1); slice >= 0; slice--)
        {
            var (first, end) = (Before(slice), Math.Min(degree, Before(slice + 1)));
            for (var edge = first; edge < end; edge++)
                target.Write(to + edge, _neighbour[position + edge - first], _info.Length > 0 ? _info[position + edge - first] : 0);
            if (slice > 0)
                position = _neighbour[position - 1];
        }
    }

    /// <summary>
    /// The run of cells that holds <paramref name="edge"/> and older edges down to the
    /// returned <paramref name="first"/>, which lies in cell <paramref name="start"/>.
    /// </summary>
    public void RunOf(int[] neighbours, int position, int degree, int edge, out int first, out int start)
    {
        first = _frozen ? 0 : Before(SliceOf(edge));
        start = CellOf(neighbours, position, degree, first);
    }

    private static int CellInSlices(int[] neighbours, int position, int degree, int edge)
    {
        var links = LinksTo(degree, edge, out var rest);
        for (; links > 0; links--)
            position = neighbours[position - 1];
        return position + rest;
    }

    /// <summary>Links from a node's newest slice back to the slice of an edge, which lies <paramref name="rest"/> cells behind that slice's start.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LinksTo(int degree, int edge, out int rest)
    {
        var slice = SliceOf(edge);
        rest = edge - Before(slice);
        return SliceOf(degree - 1) - slice;
    }

    private static int SliceOf(int edge) => BitOperations.Log2(((uint)edge >> 1) + 1);

    private static int Before(int slice) => (2 << slice) - 2;

    private void Reserve(int cells)
    {
        if (_next + (long)cells <= _neighbour.Length)
            return;
        var length = (int)Math.Min(Array.MaxLength, Math.Max(_next + (long)cells, _neighbour.Length + ((long)_neighbour.Length / 2)));
        var neighbour = Memory.Allocate<int>(length);
        Array.Copy(_neighbour, neighbour, _next);
        if (_info.Length > 0)
        {
            var info = Memory.Allocate<ulong>(length);
            Array.Copy(_info, info, _next);
            Volatile.Write(ref _info, info);
        }

        Volatile.Write(ref _neighbour, neighbour);
    }
}
