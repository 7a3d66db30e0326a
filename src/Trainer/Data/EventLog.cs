using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Trainer.Data;

/// <summary>
/// The interactions as flat arrays in time order, with each user's events beside them. Dense user and item indices are the snapshot's.
/// Immutable; safe to read from many threads. About 45 bytes per interaction.
/// </summary>
public sealed class EventLog
{
    private readonly int[] _userStart;
    private readonly int[] _userEvents;

    /// <exception cref="ArgumentException">The arrays differ in length or the times go backwards.</exception>
    public EventLog(int users, int items, int[] user, int[] item, byte[] type, float[] value, long[] timeMs)
    {
        if (item.Length != user.Length || type.Length != user.Length || value.Length != user.Length || timeMs.Length != user.Length)
        {
            throw new ArgumentException(
                $"{user.Length} users, {item.Length} items, {type.Length} types, {value.Length} values and {timeMs.Length} times do not make events",
                nameof(user));
        }
        (Users, Items, User, Item, Type, Value, TimeMs) = (users, items, user, item, type, value, timeMs);
        _userStart = new int[users + 1];
        foreach (var u in user)
            _userStart[u + 1]++;
        for (var u = 0; u < users; u++)
            _userStart[u + 1] += _userStart[u];
        _userEvents = new int[user.Length];
        Position = new int[user.Length];
        StrictPosition = new int[user.Length];
        var next = _userStart.AsSpan(0, users).ToArray();
        for (var e = 0; e < user.Length; e++)
        {
            if (e > 0 && timeMs[e] < timeMs[e - 1])
                throw new ArgumentException($"event {e} at {timeMs[e]} ms is older than the one before it", nameof(timeMs));
            var (start, at) = (_userStart[user[e]], next[user[e]]++);
            _userEvents[at] = e;
            Position[e] = at - start;
            var previous = at > start ? _userEvents[at - 1] : -1;
            StrictPosition[e] = previous >= 0 && timeMs[previous] == timeMs[e] ? StrictPosition[previous] : at - start;
        }
    }

    public int Users { get; }
    public int Items { get; }
    public int Count => User.Length;
    public int[] User { get; }
    public int[] Item { get; }
    public byte[] Type { get; }
    public float[] Value { get; }
    public long[] TimeMs { get; }

    /// <summary>How many of the same user's events come before this one in the log.</summary>
    public int[] Position { get; }

    /// <summary>How many of the same user's events have a strictly smaller time: what a recommender could know at that moment.</summary>
    public int[] StrictPosition { get; }

    /// <summary>Rows of the user attribute table; 0 = nothing is known of the users.</summary>
    public int AttributeRows { get; private init; }

    private int[][] Attributes { get; init; } = [];

    public static EventLog From(GraphSnapshot snapshot, UserAttributes? attributes = null) =>
        new(snapshot.Users.Length, snapshot.Items.Length, snapshot.User, snapshot.Item, snapshot.Type, snapshot.Value, snapshot.TimeMs)
        {
            AttributeRows = attributes?.Entries.Count ?? 0,
            Attributes = attributes is null || snapshot.Attributes is null ? [] : Array.ConvertAll(snapshot.Attributes, attributes.Encode),
        };

    /// <summary>Rows of a user's attributes; empty when nothing is known.</summary>
    public ReadOnlySpan<int> AttributesOf(int user) => Attributes.Length == 0 ? [] : Attributes[user];

    /// <summary>Indices of a user's events, oldest first.</summary>
    public ReadOnlySpan<int> EventsOf(int user) => _userEvents.AsSpan(_userStart[user], _userStart[user + 1] - _userStart[user]);

    /// <summary>Event <paramref name="e"/> as an edge of its user.</summary>
    public UserEvent Edge(int e) => new(Item[e], Type[e], Value[e], TimeMs[e]);

    /// <summary>Events per item among the first <paramref name="end"/>.</summary>
    public int[] ItemCounts(int end)
    {
        var counts = new int[Items];
        foreach (var item in Item.AsSpan(0, end))
            counts[item]++;
        return counts;
    }
}

/// <summary>
/// A cut in time: learn from [0, TrainEnd), choose on [TrainEnd, ValidEnd),
/// judge on [ValidEnd, End). Indices into an <see cref="EventLog"/>.
/// </summary>
public readonly record struct TemporalSplit(int TrainEnd, int ValidEnd, int End)
{
    /// <summary>Integer floor, as the evaluation protocol asks; a cut may fall inside one timestamp.</summary>
    public static TemporalSplit Of(int count, double validShare = 0.1, double testShare = 0.1)
    {
        var validEnd = (int)Math.Floor(count * (1 - testShare) + 1e-9);
        return new((int)Math.Floor(count * (1 - testShare - validShare) + 1e-9), validEnd, count);
    }
}
