using System.Text;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Ingest;
using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary>100,000 messages that nobody should send: each is dead-lettered with its reason, and ingest neither dies nor grows.</summary>
[Collection(Faults.Name)]
public sealed class HostileInputTests(FaultServers servers)
{
    private const int Count = 100_000, Large = 6, LargeBytes = 10_000_000;
    private static readonly string Deep = string.Concat(Enumerable.Repeat("{\"a\":", 500)) + "1" + new string('}', 500);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    [Trait(Servers.Needs, Servers.RealKafka)]
    public async Task A_hundred_thousand_hostile_messages_are_all_dead_lettered_and_memory_stays_flat()
    {
        servers.RequireRealKafka("messages of 10 MB, and more of them than the in-process broker keeps");
        await using var h = await Harness.StartAsync(servers);
        await using var ingest = await IngestProcess.StartAsync(h);
        var random = new Random(1);
        var expected = new Dictionary<string, long>(StringComparer.Ordinal);
        long early = 0;
        foreach (var part in Enumerable.Range(0, Count).Chunk(Count / 10))
        {
            await Task.WhenAll(part.Select(i =>
            {
                var (value, reason) = Message(i, random);
                expected[reason.Code()] = expected.GetValueOrDefault(reason.Code()) + 1;
                return h.ProduceAsync(h.Topics.Interactions, "k" + (i % 50), value);
            }));
            await h.UntilDoneAsync(part[^1] + 1);
            early = early == 0 ? ingest.Memory.Now : early;
        }

        // Between them two good events whose ids are SQL: text like any other.
        const string sql = "'); drop table interactions; --";
        await h.ProduceAsync(h.Topics.Interactions, sql, Encoding.UTF8.GetBytes(Good("e", sql, sql)));
        await h.ProduceAsync(h.Topics.Interactions, sql, Encoding.UTF8.GetBytes(Good("f", sql, "$1; copy users to program 'id'")));
        await h.UntilDoneAsync(Count + 2);

        Assert.False(ingest.HasExited, ingest.Log);
        Assert.InRange(ingest.Memory.Peak, 1, 300_000_000);
        Assert.InRange(ingest.Memory.Now, 1, Math.Max(early * 1.5, 200_000_000));
        Assert.Equal(
            expected.OrderBy(e => e.Key, StringComparer.Ordinal),
            (await h.Graph.DeadLetterCountsAsync(Stop)).OrderBy(e => e.Key, StringComparer.Ordinal));
        Assert.Equal(
            Count,
            await new DeadLetters(h.Options).ListAsync(new DeadLetterFilter(), Stop)
                .Select(l => (l.SourcePartition, l.SourceOffset))
                .Distinct()
                .CountAsync(Stop));
        Assert.Equal(new GraphStats(1, 2, 2, 2), await h.Graph.StatsAsync(Stop));
        Assert.Equal(sql, (await h.Graph.RecentAsync(sql, 10, Stop)).Select(e => e.ItemId).Single(i => i == sql));
        Assert.Equal(0, await ingest.EndAsync());
    }

    private static string Good(string id, string user, string item) =>
        $$"""{"event_id":"{{id}}","user_id":"{{user}}","item_id":"{{item}}","type":"view","time":1700000000000}""";

    private static (byte[] Value, DeadLetterReason Reason) Message(int index, Random random)
    {
        if (index % (Count / Large) == 7)
            return (Filled(LargeBytes, (byte)'x'), DeadLetterReason.TooLarge);
        const string head = """{"event_id":"e","user_id":"u","item_id":"i","type":"view","time":1700000000000""";
        return (index % 16) switch
        {
            0 => (Fuzzed(random), DeadLetterReason.NotUtf8),
            1 => (Mutilated(random), DeadLetterReason.NotUtf8),
            2 => (Text(Good("e", "u", "i")[..random.Next(1, 60)]), DeadLetterReason.MalformedJson),
            3 => (Text(Deep), DeadLetterReason.MalformedJson),
            4 => (Text(Good("e", "u\\u0000x", "i")), DeadLetterReason.BadId),
            5 => (Text(Good("e", "u", new string('i', 300))), DeadLetterReason.IdTooLong),
            6 => (Text(Good("e", "u", "i").Replace("1700000000000", "NaN", StringComparison.Ordinal)), DeadLetterReason.MalformedJson),
            7 => (Text(Good("e", "u", "i").Replace("1700000000000", "1e999999", StringComparison.Ordinal)), DeadLetterReason.BadTime),
            8 => (Text(Good("e", "u", "i").Replace("1700000000000", new string('9', 1000), StringComparison.Ordinal)), DeadLetterReason.BadTime),
            9 => (Text(head + ",\"value\":1e400}"), DeadLetterReason.BadValue),
            10 => (Text(head + ",\"value\":\"NaN\"}"), DeadLetterReason.BadValue),
            11 => (Text(Good("e", "u", "i").Replace("view", "'; drop table users; --", StringComparison.Ordinal)), DeadLetterReason.UnknownType),
            12 => ([], DeadLetterReason.MalformedJson),
            13 => (Text(new string('[', 2000)), DeadLetterReason.MalformedJson),
            14 => (Text("""{"event_id":"\ud800","user_id":"u","item_id":"i","type":"view","time":1}"""), DeadLetterReason.BadId),
            _ => (Text(Good("e", "", "i")), DeadLetterReason.BadId),
        };
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Filled(int length, byte with)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, with);
        return bytes;
    }

    /// <summary>Random bytes, one of which no UTF-8 text has.</summary>
    private static byte[] Fuzzed(Random random)
    {
        var bytes = new byte[random.Next(1, 400)];
        random.NextBytes(bytes);
        bytes[random.Next(bytes.Length)] = 0xff;
        return bytes;
    }

    /// <summary>A good event with some bytes changed, one of them to what no UTF-8 text has.</summary>
    private static byte[] Mutilated(Random random)
    {
        var bytes = Text(Good("e", "u", "i"));
        for (var changes = random.Next(1, 8); changes > 0; changes--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        bytes[random.Next(bytes.Length)] = 0xfe;
        return bytes;
    }
}
