using System.Text;
using StreamRec.Contracts;

namespace StreamRec.Sources.Simulator;

/// <summary>Ways a message can be broken, each with the one reason ingest must give for it.</summary>
internal static class MalformedMessages
{
    /// <summary>Reason and share of all malformed messages; sums to 1. Oversized ones are rare because each is 70 KB on the wire.</summary>
    public static readonly (DeadLetterReason Reason, double Share)[] Kinds =
    [
        (DeadLetterReason.MalformedJson, 0.20), (DeadLetterReason.MissingField, 0.15), (DeadLetterReason.UnknownType, 0.15), (DeadLetterReason.BadTime, 0.14),
        (DeadLetterReason.NotUtf8, 0.10), (DeadLetterReason.BadValue, 0.10), (DeadLetterReason.IdTooLong, 0.05), (DeadLetterReason.BadId, 0.04),
        (DeadLetterReason.FutureTime, 0.04), (DeadLetterReason.TooLarge, 0.03),
    ];

    /// <summary>A reason drawn by share.</summary>
    public static DeadLetterReason Draw(Random random)
    {
        var draw = random.NextDouble();
        foreach (var (reason, share) in Kinds)
        {
            if (draw < share)
                return reason;
            draw -= share;
        }

        return Kinds[0].Reason;
    }

    /// <summary>A sound event made bad in exactly one way.</summary>
    public static byte[] Make(DeadLetterReason reason, RawEvent sound, MessageWriter writer, Random random)
    {
        switch (reason)
        {
            case DeadLetterReason.MalformedJson:
                var cut = writer.Interaction(sound);
                return cut[..random.Next(cut.Length / 2, cut.Length - 1)];
            case DeadLetterReason.NotUtf8:
                var bytes = writer.Interaction(sound);
                bytes[bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(sound.UserId!))] = 0xff; // never occurs in UTF-8
                return bytes;
            default:
                return writer.Interaction(Bend(reason, sound, random));
        }
    }

    private static RawEvent Bend(DeadLetterReason reason, RawEvent sound, Random random) => reason switch
    {
        DeadLetterReason.MissingField => random.Next(4) switch
        {
            0 => sound with { EventId = null },
            1 => sound with { ItemId = null },
            2 => sound with { Type = null },
            _ => sound with { TimeText = null },
        },
        DeadLetterReason.UnknownType => sound with { Type = random.Next(2) == 0 ? "teleport" : "VIEW" },
        DeadLetterReason.BadTime => sound with { TimeText = random.Next(2) == 0 ? "yesterday" : "2025-02-30T10:00:00Z" },
        DeadLetterReason.BadValue => sound with { Value = float.NaN, ValueText = "a lot" },
        DeadLetterReason.IdTooLong => sound with { ItemId = new string('x', 300) },
        DeadLetterReason.BadId => sound with { ItemId = random.Next(2) == 0 ? "" : "i\u0000" },
        DeadLetterReason.FutureTime => sound with { TimeText = "2999-01-01T00:00:00Z" },
        DeadLetterReason.TooLarge => sound with { Context = [("blob", new string('x', 70_000))] },
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "no such kind"),
    };
}
