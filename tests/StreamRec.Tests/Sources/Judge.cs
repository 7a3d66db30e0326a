using StreamRec.Contracts;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.Tests.Sources;

/// <summary>Holds a source to its word with the decoder ingest uses: every message must meet exactly the fate the source foretold.</summary>
internal static class Judge
{
    public static Tally Check(IEventSource source)
    {
        var decoder = new InteractionDecoder(new DecoderOptions(), EventTypes.Default);
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var tally = new Tally();
        var ids = new HashSet<UInt128>();
        foreach (var message in source.Read())
        {
            if (message.Topic == SourceTopic.Items)
            {
                Assert.True(Json.TryDecode(message.Value, out ItemRecord? item, out _, out _));
                Assert.Equal(message.Key, item.ItemId);
                tally.Items[item.ItemId] = item;
                continue;
            }

            tally.Produced++;
            var reason = decoder.TryDecode(message.Value, default, now, out var decoded, out var detail);
            Assert.True(reason == message.Reason, $"message {tally.Produced}: decoder says {reason} ({detail}), source says {message.Reason}");
            Assert.Equal(message.Fate == Fate.DeadLetter, reason != DeadLetterReason.None);
            if (reason != DeadLetterReason.None)
            {
                tally.DeadLetters[reason] = tally.DeadLetters.GetValueOrDefault(reason) + 1;
                continue;
            }

            Assert.Equal(message.Interaction, decoded);
            Assert.Equal(message.Key, decoded.UserId);
            Assert.Equal(message.Fate == Fate.Duplicate, !ids.Add(decoded.EventId));
            if (message.Fate == Fate.Duplicate)
                tally.Duplicates++;
            else
                tally.Applied.Add(message);
        }

        Assert.Equal(source.Count, tally.Produced);
        return tally;
    }

    internal sealed class Tally
    {
        public long Produced;
        public long Duplicates;
        public readonly List<SourceMessage> Applied = [];
        public readonly Dictionary<DeadLetterReason, long> DeadLetters = [];
        public readonly Dictionary<string, ItemRecord> Items = [];
    }
}
