namespace StreamRec.GraphStore;

/// <summary>
/// Type, value and time of an edge in 8 bytes: 42 bits of Unix milliseconds (1970..2109, clamped), 5 bits of type, 17 bits of value.
/// A value is a code into a table of the first 65,536 different ones (ratings, quantities and prices repeat), hence exact; once the table is
/// full a new value keeps its upper 16 bits, 8 of them significant. One writer; readers see a code only in an edge published after it.
/// </summary>
internal sealed class EdgeInfo
{
    private const int Codes = 1 << 16;
    private const int Buckets = 1 << 17;
    private const ulong Rounded = 1 << 16;
    private const long MaxTime = (1L << 42) - 1;
    private readonly float[] _values = new float[Codes];
    private readonly int[] _buckets = new int[Buckets]; // code + 1, 0 = free
    private int _count;

    public ulong Pack(byte type, float value, long timeMs)
        => ((ulong)Math.Clamp(timeMs, 0, MaxTime) << 22) | ((ulong)(type & 31) << 17) | Encode(value);

    public static byte Type(ulong info) => (byte)((info >> 17) & 31);

    public static long TimeMs(ulong info) => (long)(info >> 22);

    public float Value(ulong info)
    {
        var code = info & (Rounded | (Codes - 1));
        return code < Rounded ? _values[code] : BitConverter.Int32BitsToSingle((int)(code & (Codes - 1)) << 16);
    }

    private ulong Encode(float value)
    {
        var bits = BitConverter.SingleToInt32Bits(value);
        for (var at = (uint)bits * 0x9E3779B1u >> 15; ; at = (at + 1) & (Buckets - 1))
        {
            var code = _buckets[at] - 1;
            if (code < 0)
            {
                if (_count == Codes)
                    return Rounded | ((uint)bits >> 16);
                _values[_count] = value;
                _buckets[at] = ++_count;
                return (ulong)(_count - 1);
            }

            if (BitConverter.SingleToInt32Bits(_values[code]) == bits)
                return (ulong)code;
        }
    }
}
