using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>How <see cref="RandomWalker"/> walks. Defaults suit a request answered in about a millisecond.</summary>
public sealed record WalkOptions
{
    /// <summary>Item visits over all seeds, default 10,000 (two edges each). Cost is linear in it; too few and rare candidates are noise.</summary>
    public int Visits { get; init; } = 10_000;

    /// <summary>Chance to go back to the seed after each visit, default 0.5. Lower walks further away from the seed.</summary>
    public float Restart { get; init; } = 0.5f;

    /// <summary>
    /// Only the newest so many edges of a user are walked, default 100; 0 = all.
    /// Keeps bots from owning the walk and favours what is bought together now.
    /// </summary>
    public int NewestOfUser { get; init; } = 100;

    /// <summary>Only the newest so many edges of an item are walked, default 0 = all.</summary>
    public int NewestOfItem { get; init; }

    /// <summary>Early stop of a seed's walks: as soon as this many candidates …, default 0 = never.</summary>
    public int StopCandidates { get; init; }

    /// <summary>… were visited this often each. Default 4.</summary>
    public int StopVisits { get; init; } = 4;
}

/// <summary>A candidate of a walk.</summary>
/// <param name="Item">Dense item index.</param>
/// <param name="Score">(Σ over seeds of √visits)²: equals the visits when one seed found it, more when several did.</param>
/// <param name="Visits">Over all seeds.</param>
public readonly record struct WalkCandidate(int Item, float Score, int Visits);

/// <summary>Buffers of one thread's walks: 12 bytes per item of the graph. Reuse it; it grows when the graph has more items.</summary>
public sealed class WalkScratch
{
    internal const int Lanes = 32;
    internal readonly int[] Node = new int[Lanes];
    internal readonly int[] Cell = new int[Lanes];
    internal int[] SeedVisits = [];
    internal int[] Visits = [];
    internal float[] Roots = [];
    internal int[] Touched = [];
    internal int[] SeedTouched = [];

    /// <summary>Edges followed by the last walk.</summary>
    public long Steps { get; internal set; }

    internal void Prepare(int items)
    {
        Steps = 0;
        if (SeedVisits.Length >= items)
            return;
        var length = items + (items / 4) + 64;
        (SeedVisits, Visits, Roots) = (new int[length], new int[length], new float[length]);
        (Touched, SeedTouched) = (new int[length], new int[length]);
    }
}

/// <summary>SplitMix64 (Steele, Lea, Flood 2014): 8 bytes of state, the same numbers for the same seed on every machine.</summary>
public struct WalkRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next() => EventIds.Mix(_state += 0x9E3779B97F4A7C15);

    /// <summary>0..<paramref name="bound"/>-1; the bias of multiply-shift is below bound / 2³².</summary>
    public int Below(int bound) => (int)((Next() >> 32) * (ulong)(uint)bound >> 32);

    /// <summary>[0, 1) with 24 bits.</summary>
    public float Unit() => (Next() >> 40) * (1f / (1 << 24));

    /// <summary>A seed for the <paramref name="index"/>-th independent stream: what makes parallel sampling the same on any number of threads.</summary>
    public static ulong Stream(ulong seed, long index) => new WalkRandom(seed ^ ((ulong)index * 0xD1342543DE82EF95)).Next();
}
