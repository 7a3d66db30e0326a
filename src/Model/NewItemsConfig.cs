using System.Text.Json.Serialization;

namespace StreamRec.Model;

/// <summary>
/// Places of a list that are kept for new items. A blend learns from what people chose, and people hardly
/// choose what they were never shown, so new items would stay new: the first <see cref="From"/> places are the
/// blend's alone, and of those after them a share goes to items the model hardly knows. Where there are too
/// few of them the blend's next items take the places. A shorter list is the beginning of a longer one.
/// <para>New items are ranked among themselves by the sum of the z-scores of what needs no past of the item or only the newest: text, the day's and the month's
/// live counts, and item vectors that read texts. On the validation parts a blend learned on the events of new items was no better (docs/model.md).</para>
/// </summary>
public sealed record NewItemsConfig
{
    /// <summary>Places at the top that are never given away. Default 10.</summary>
    public int From { get; init; } = 10;

    /// <summary>Share of the places after them, 0..1, evenly spread: 0.3 is the 14th, 17th and 20th of a list of 20. 0 switches it off. Default 0.3.</summary>
    public double Share { get; init; } = 0.3;

    /// <summary>An item with fewer events in the fit part is new; one born after it is too. Default 5.</summary>
    public int BelowEvents { get; init; } = 5;

    /// <summary>
    /// The items are drawn without replacement from the softmax of score / temperature, so that near-equals take turns from person to
    /// person (Gumbel-top-k: Kool, van Hoof and Welling, 2019). The draw depends on the person's newest events and the day only: the
    /// same question gets the same list. Larger spreads the impressions over more items, 0 always takes the best. Default 1.
    /// </summary>
    public float Temperature { get; init; } = 1;

    /// <summary>
    /// Channels whose z-scores rank new items among themselves; those the model lacks are passed over. Default, null: text, trending and
    /// popularity, and the trainer adds gnn where its item vectors read texts; without texts a new item's vector says nothing. An item born
    /// after the model has neither text nor vector in it: live counts alone speak for it.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Channels { get; init; }

    /// <summary>The channels that need no past of an item, or only the newest.</summary>
    public static IReadOnlyList<string> DefaultChannels { get; } = [ChannelNames.Text, ChannelNames.Trending, ChannelNames.Popularity];

    /// <summary>Whether the place is kept.</summary>
    /// <param name="rank">0-based.</param>
    public bool Keeps(int rank) => rank >= From && CountIn(rank + 1) > CountIn(rank);

    /// <summary>How many places of a list of <paramref name="k"/> are kept.</summary>
    // Rounded before it is cut: ten places and a share of 0.7 are 7, though 10 × 0.7 is a little less in binary.
    public int CountIn(int k) => k <= From ? 0 : (int)Math.Floor(Math.Round((k - From) * Share, 9));

    /// <exception cref="ArgumentException">A setting is out of its range; the message names it and its value.</exception>
    public void Validate()
    {
        if (From < 0)
            throw new ArgumentException($"NewItems.From is {From}; it must be 0 or more");
        if (Share is not (>= 0 and <= 1))
            throw new ArgumentException($"NewItems.Share is {Share}; it must be between 0 and 1");
        if (BelowEvents < 0)
            throw new ArgumentException($"NewItems.BelowEvents is {BelowEvents}; it must be 0 or more");
        foreach (var channel in Channels ?? [])
        {
            if (!ChannelNames.All.Contains(channel))
                throw new ArgumentException($"NewItems.Channels has '{channel}'; there are {string.Join(", ", ChannelNames.All)}");
        }

        if (Channels is [])
            throw new ArgumentException("NewItems.Channels is empty, so nothing would rank new items; leave it out, or set NewItems.Share to 0");
        if (!(Temperature >= 0))
            throw new ArgumentException($"NewItems.Temperature is {Temperature}; it must be 0 or more");
    }
}
