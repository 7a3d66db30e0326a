using System.Buffers;
using System.Globalization;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Bench;

/// <summary>
/// A log's worth of made-up interactions, the same for the same seed: power-law on both sides (index n × u³ for uniform u), 40 days of event
/// time in order of arrival. Event n is made from n alone, so any stretch can be made again.
/// </summary>
internal sealed class BenchEvents(int count, int users, int items)
{
    private const long Start = 1_750_000_000_000, Span = 40L * 24 * 3600 * 1000;
    private static readonly EventType[] Types = [.. EventTypes.Default.All];

    public int Count => count;

    public string Shape => string.Create(CultureInfo.InvariantCulture, $"{count:N0} events, {users:N0} users, {items:N0} items, power-law");

    public (int User, int Item, EventType Type, float Value, long TimeMs) this[int index]
    {
        get
        {
            var random = new WalkRandom(WalkRandom.Stream(17, index));
            var (user, item) = (PowerLaw(ref random, users), PowerLaw(ref random, items));
            var type = Types[random.Below(Types.Length)];
            return (user, item, type, type.Name == "rating" ? 1 + random.Below(5) : float.NaN, Start + (Span * index / count));
        }
    }

    public static string UserId(int user) => "u" + user.ToString(CultureInfo.InvariantCulture);

    public static string ItemId(int item) => "i" + item.ToString(CultureInfo.InvariantCulture);

    /// <summary>The message of event <paramref name="index"/>, appended.</summary>
    public void Write(InteractionWriter writer, IBufferWriter<byte> to, int index)
    {
        var (user, item, type, value, time) = this[index];
        writer.Write(to, string.Create(CultureInfo.InvariantCulture, $"e-{index:x8}"), UserId(user), ItemId(item), type.Name, value, time);
    }

    private static int PowerLaw(ref WalkRandom random, int n)
    {
        var u = random.Unit() + (random.Unit() / (1 << 24));
        return Math.Min(n - 1, (int)(n * (double)u * u * u));
    }
}
