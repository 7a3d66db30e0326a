using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>
/// Decides whether lists may repeat what a user already has. With <see cref="SeenPolicy.Auto"/> it watches the stream: the share of positive
/// events that repeat an earlier one of the same user, item and type. (Other types are a funnel, view then purchase, and no repeat.)
/// Needs <see cref="MinEvents"/> events before it allows repeats, and takes them back below four fifths of the bound, so that it does not flap.
/// Bounded: remembers the newest 1,000,000 triples (28 MB). One thread.
/// </summary>
internal sealed class RepeatRule(SeenPolicy policy, double share)
{
    public const int MinEvents = 500;
    private const int Remembered = 1_000_000;
    private readonly RecentIds _triples = new(Remembered);
    private long _repeats;

    public bool RepeatsAllowed { get; private set; } = policy == SeenPolicy.Repeat;

    public long Events { get; private set; }

    public double Share => Events == 0 ? 0 : (double)_repeats / Events;

    /// <summary>Takes in one positive event; true when the rule changed. Indexes are the live graph's.</summary>
    public bool Observe(int user, int item, byte type)
    {
        if (policy != SeenPolicy.Auto)
            return false;
        Events++;
        if (!_triples.Add(EventIds.Mix(((ulong)(uint)user << 32) | (uint)item) + type))
            _repeats++;
        if (Events < MinEvents)
            return false;
        var allowed = Share >= (RepeatsAllowed ? share * 0.8 : share);
        var changed = allowed != RepeatsAllowed;
        RepeatsAllowed = allowed;
        return changed;
    }
}
