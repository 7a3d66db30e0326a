using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StreamRec.GraphStore;

/// <summary>
/// One row of <see cref="LiveGraph.Slots"/> headers per node: a node's whole position in the window is one 64-byte cache line, which is
/// what makes a step of a walk cost one miss for the header and one for the edge. Rows live in pages that never move, so growing
/// copies only the list of pages and readers are never disturbed.
/// </summary>
internal sealed class HeaderTable
{
    private const int PageBits = 12;
    private const int PageRows = 1 << PageBits;
    private static readonly long[] NoEdges = new long[LiveGraph.Slots];
    private Page[] _pages = [];

    /// <summary>Rows there are; nodes beyond have no edges.</summary>
    public int Nodes => _pages.Length * PageRows;

    public long Bytes => (long)_pages.Length * (PageRows + 1) * LiveGraph.Slots * sizeof(long);

    /// <summary>
    /// The node's headers by slot; a row of zeros for a node the table does
    /// not have. Only the writer writes, only after <see cref="Ensure"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref long Row(int node)
    {
        var pages = Volatile.Read(ref _pages);
        var page = node >> PageBits;
        if ((uint)page >= (uint)pages.Length)
            return ref NoEdges[0];
        ref var at = ref pages[page];
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(at.Data), at.Offset + ((node & (PageRows - 1)) * LiveGraph.Slots));
    }

    /// <summary>Writer only.</summary>
    public void Ensure(int node)
    {
        if (node >> PageBits < _pages.Length)
            return;
        var pages = new Page[(node >> PageBits) + 1];
        _pages.CopyTo(pages, 0);
        for (var i = _pages.Length; i < pages.Length; i++)
            pages[i] = Page.Create();
        Volatile.Write(ref _pages, pages);
    }

    private readonly struct Page
    {
        private Page(long[] data, int offset) => (Data, Offset) = (data, offset);

        public long[] Data { get; }

        /// <summary>Longs to skip so that rows start on cache lines; the array is pinned, hence the address is final.</summary>
        public int Offset { get; }

        public static unsafe Page Create()
        {
            var data = GC.AllocateArray<long>((PageRows + 1) * LiveGraph.Slots, pinned: true);
            var address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(data));
            return new Page(data, (int)(((64 - (address & 63)) & 63) / sizeof(long)));
        }
    }
}
