using System.Runtime.CompilerServices;

namespace StreamRec.Scorer;

/// <summary>Items of the user's own history an entry rests on, strongest first; live graph indexes.</summary>
[InlineArray(Length)]
internal struct EvidenceItems
{
    public const int Length = 3;
    private int _first;
}

/// <summary>
/// One line of a list before it is written. <see cref="Item"/> is a live graph
/// index, <see cref="Channel"/> one of the model's channel names or "new".
/// </summary>
internal struct ListEntry
{
    public int Item;
    public float Score;
    public string Channel;
    public EvidenceItems Evidence;
    public int EvidenceCount;
}

/// <summary>A ranked list in a reused buffer: valid until the next ranking.</summary>
internal sealed class RankedList
{
    private readonly ListEntry[] _entries = new ListEntry[ScorerOptions.MaxK];

    public long ModelVersion { get; private set; }

    public int Count { get; private set; }

    public ReadOnlySpan<ListEntry> Entries => _entries.AsSpan(0, Count);

    /// <summary>Empties the list and names the model that fills it.</summary>
    public void Begin(long modelVersion) => (ModelVersion, Count) = (modelVersion, 0);

    public ref ListEntry Add()
    {
        ref var entry = ref _entries[Count++];
        entry.EvidenceCount = 0;
        return ref entry;
    }
}
