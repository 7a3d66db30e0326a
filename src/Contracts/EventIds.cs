using System.Buffers.Binary;
using System.Text;

namespace StreamRec.Contracts;

/// <summary>
/// Turns a producer's event_id of any length into the 128-bit key stored and deduplicated on.
/// Two 64-bit MurmurHash3-style lanes; at 10^10 events the chance of one collision is below 10^-18.
/// Not keyed: a producer that wants to collide its own ids can, and only harms itself.
/// </summary>
public static class EventIds
{
    /// <summary>Cost O(length), no allocation.</summary>
    public static UInt128 Hash(ReadOnlySpan<byte> utf8)
    {
        ulong h1 = 0x9368e53c2f6af274UL ^ (ulong)utf8.Length, h2 = 0x586dcd208f7cd3fdUL ^ (ulong)utf8.Length;
        while (utf8.Length >= 8)
        {
            var k = BinaryPrimitives.ReadUInt64LittleEndian(utf8);
            h1 = Mix(h1 ^ k);
            h2 = Mix(h2 + (k * 0x9e3779b97f4a7c15UL));
            utf8 = utf8[8..];
        }

        ulong tail = 0;
        for (var i = 0; i < utf8.Length; i++)
            tail |= (ulong)utf8[i] << (8 * i);
        h1 = Mix(h1 ^ tail);
        h2 = Mix(h2 + (tail * 0x9e3779b97f4a7c15UL));
        return new UInt128(Mix(h1 + h2), Mix(h2 + (h1 * 0xff51afd7ed558ccdUL)));
    }

    public static UInt128 Hash(string id) => Hash(Encoding.UTF8.GetBytes(id));

    /// <summary>SplitMix64's finaliser (Steele et al., 2014): a bijection with full avalanche.</summary>
    public static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
        return x ^ (x >> 31);
    }
}
