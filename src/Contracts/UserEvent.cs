namespace StreamRec.Contracts;

/// <summary>One edge of a user's temporal neighbourhood, with the item as a dense index of whoever uses it (graph or model).</summary>
/// <param name="Item">Dense item index.</param>
/// <param name="Type">Code in <see cref="EventTypes"/>.</param>
/// <param name="Value">Rating or quantity; NaN when absent.</param>
/// <param name="TimeMs">Unix milliseconds UTC.</param>
public readonly record struct UserEvent(int Item, byte Type, float Value, long TimeMs);
