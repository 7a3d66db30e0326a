using System.Collections.Immutable;

namespace StreamRec.Contracts;

/// <summary>One event type: its name on the wire, its code in storage and how much one such event weighs as evidence.</summary>
/// <param name="Code">1..31, stable for ever: it is stored with each edge and indexes the model's type embedding.</param>
/// <param name="Name">The <c>type</c> field's value.</param>
/// <param name="Weight">Evidence of one event; negative means the user does not want the item.</param>
public sealed record EventType(byte Code, string Name, float Weight);

/// <summary>
/// The event types an installation accepts. Anything else is dead-lettered as <see cref="DeadLetterReason.UnknownType"/>.
/// </summary>
public sealed class EventTypes
{
    /// <summary>Embedding rows a model reserves for types; codes stay below it.</summary>
    public const int MaxCode = 31;

    /// <summary>view, click, like, cart, purchase, rating, dislike, return.</summary>
    public static EventTypes Default { get; } = new(
    [
        new(1, "view", 0.2f), new(2, "click", 0.3f), new(3, "like", 1f), new(4, "cart", 0.6f),
        new(5, "purchase", 1f), new(6, "rating", 1f), new(7, "dislike", -1f), new(8, "return", -1f),
    ]);

    private readonly EventType?[] _byCode = new EventType?[MaxCode + 1];
    private readonly bool[] _positive = new bool[byte.MaxValue + 1];
    private readonly Dictionary<string, EventType> _byName;

    public EventTypes(IEnumerable<EventType> types)
    {
        All = [.. types];
        _byName = All.ToDictionary(t => t.Name, StringComparer.Ordinal);
        foreach (var type in All)
        {
            if (type.Code is 0 or > MaxCode)
                throw new ArgumentException($"event type '{type.Name}' has code {type.Code}; codes are 1..{MaxCode}", nameof(types));
            if (_byCode[type.Code] is { } other)
                throw new ArgumentException($"event types '{other.Name}' and '{type.Name}' share code {type.Code}", nameof(types));
            _byCode[type.Code] = type;
            _positive[type.Code] = type.Weight > 0;
        }
    }

    public ImmutableArray<EventType> All { get; }

    public EventType? Find(string name) => _byName.GetValueOrDefault(name);

    public EventType? Find(byte code) => code <= MaxCode ? _byCode[code] : null;

    /// <summary>Evidence of one event; 0 for a code this installation does not know.</summary>
    public float WeightOf(byte code) => Find(code)?.Weight ?? 0f;

    /// <summary>Whether such an event speaks for its item: its weight is above 0. One look into a table.</summary>
    public bool IsPositive(byte code) => _positive[code];
}
