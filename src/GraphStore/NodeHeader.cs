namespace StreamRec.GraphStore;

/// <summary>
/// Where one node's edges of one segment lie, in 64 bits so that a reader gets it in one untorn load:
/// 6 bits tag of the storage (0 = no edges), 26 bits degree, 32 bits position of the newest slice in that storage.
/// </summary>
internal static class NodeHeader
{
    public const int MaxDegree = (1 << 26) - 1;
    public const int Tags = 64;

    public static long Pack(int tag, int degree, int position) => ((long)tag << 58) | ((long)degree << 32) | (uint)position;

    public static int Tag(long header) => (int)((ulong)header >> 58);

    public static int Degree(long header) => (int)(header >> 32) & MaxDegree;

    public static int Position(long header) => (int)header;
}
