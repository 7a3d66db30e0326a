using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>What to do with items the user already has in their history.</summary>
public enum SeenRule
{
    /// <summary>Never recommend them (films, articles).</summary>
    Exclude,

    /// <summary>They are candidates like any other (groceries, supplies).</summary>
    Repeat,
}

/// <summary>One candidate found outside the model, by walks on the live graph.</summary>
/// <param name="Item">Model item index (or one beyond the model).</param>
/// <param name="Score">Visits or any non-negative count-like score.</param>
public readonly record struct WalkScore(int Item, float Score);

/// <summary>
/// Everything a list depends on, for one user at one moment. Item numbers are model item indices: 0 ≤ i &lt; <see cref="RankingModel.ItemCount"/>
/// are the model's items in the order of items.json; indices from there up to <see cref="ItemCount"/> are items born after training, numbered by
/// the caller (see <see cref="ItemSpace"/>): live channels score them, trained channels place them at their floor.
/// </summary>
public readonly ref struct RankContext
{
    /// <summary>The user's events, newest last, negative ones included; empty for an unknown user.</summary>
    public ReadOnlySpan<UserEvent> History { get; init; }

    /// <summary>Rows of the user's attributes, from <see cref="UserAttributes.Encode"/> of the model's table; empty when nothing is known of them.</summary>
    public ReadOnlySpan<int> Attributes { get; init; }

    /// <summary>The moment of the question, Unix milliseconds: event time in an evaluation, the newest event's or wall time in service.</summary>
    public required long NowMs { get; init; }

    /// <summary>Advanced to <see cref="NowMs"/> by their writer.</summary>
    public required LiveCounters Counters { get; init; }

    /// <summary>Items to rank over; 0 = the model's own. At least the model's item count.</summary>
    public int ItemCount { get; init; }

    /// <summary>Applies to the item of every event in <see cref="History"/>; a longer seen set goes into <see cref="Excluded"/>.</summary>
    public SeenRule Seen { get; init; }

    /// <summary>Items that may be recommended, bit i of word i/64; empty = all. Words beyond its end count as 0.</summary>
    public ReadOnlySpan<ulong> Allowed { get; init; }

    /// <summary>Items that may not be recommended, in any order.</summary>
    public ReadOnlySpan<int> Excluded { get; init; }

    /// <summary>Candidates of the live graph; every one is considered whatever the channels say.</summary>
    public ReadOnlySpan<WalkScore> Walks { get; init; }
}

/// <summary>One line of a ranked list.</summary>
/// <param name="Item">Model item index (or one beyond the model).</param>
/// <param name="Score">Blend's score; comparable within one list only.</param>
/// <param name="Channel">Index in <see cref="RankingModel.Channels"/> of the channel with the largest share of the score.</param>
public readonly record struct RankedItem(int Item, float Score, int Channel)
{
    /// <summary>It has a place that is kept for new items (<see cref="NewItemsConfig"/>); its channel is the one that says most for it there.</summary>
    public bool IsNew { get; init; }
}

/// <summary>One distinct item of the user's own positive history.</summary>
/// <param name="Item">Model item index.</param>
/// <param name="Age">Positive events of this user after the newest one on this item; 0 = newest.</param>
/// <param name="Weight">Largest evidence weight among the events on it.</param>
/// <param name="Count">Sum of evidence weights, decayed by <see cref="ModelConfig.PersonalGamma"/> per positive event; negative events take away.</param>
/// <param name="LastMs">Time of the newest positive event on it.</param>
/// <param name="FirstMs">Time of the oldest positive event on it.</param>
/// <param name="Events">Positive events on it.</param>
public readonly record struct OwnItem(int Item, int Age, float Weight, float Count, long LastMs, long FirstMs = 0, int Events = 0);
