namespace StreamRec.Contracts;

/// <summary>
/// One decoded interaction event: a user did something with an item at a moment.
/// The ids are interned by the decoder, so a repeated id costs no allocation.
/// </summary>
/// <param name="EventId">128-bit hash of the producer's event_id: the key of deduplication. See <see cref="EventIds"/>.</param>
/// <param name="UserId">The producer's user id.</param>
/// <param name="ItemId">The producer's item id.</param>
/// <param name="Type">Code of the event type in <see cref="EventTypes"/>.</param>
/// <param name="Value">Rating, quantity or price as the type defines; NaN when absent.</param>
/// <param name="TimeMs">When it happened, Unix milliseconds UTC.</param>
public readonly record struct Interaction(UInt128 EventId, string UserId, string ItemId, byte Type, float Value, long TimeMs);
