using StreamRec.Contracts;
using StreamRec.Sources;
using StreamRec.Sources.Simulator;
using Xunit;

namespace StreamRec.Tests.Sources;

public class SimulatorTests
{
    private static readonly SimulatorOptions Small = new() { Events = 20_000, Users = 600, Items = 900, EventsPerDay = 1_000 };

    [Fact]
    public void The_same_seed_gives_the_same_bytes()
    {
        var source = new SimulatorSource(Small with { Events = 3_000 });

        Assert.Equal(Print(source), Print(new SimulatorSource(Small with { Events = 3_000 })));
        Assert.Equal(Print(source), Print(source));
        Assert.NotEqual(Print(source), Print(new SimulatorSource(Small with { Events = 3_000, Seed = 2 })));

        static ulong Print(IEventSource source) =>
            source.Read().Aggregate(0UL, (hash, m) => EventIds.Mix(hash ^ (ulong)EventIds.Hash(m.Value) ^ (ulong)EventIds.Hash(m.Key ?? "")));
    }

    [Fact]
    public void Malformed_and_duplicate_messages_come_at_their_rates_and_meet_their_fates()
    {
        var tally = Judge.Check(new SimulatorSource(Small));

        Assert.InRange(tally.DeadLetters.Values.Sum(), 150, 250); // 1 % of 20,000, within 3.5 sigma
        Assert.InRange(tally.Duplicates, 330, 470);
        Assert.Equal(MalformedMessages.Kinds.Select(k => k.Reason).Order(), tally.DeadLetters.Keys.Order());
        Assert.Equal(20_000, tally.Applied.Count + tally.Duplicates + tally.DeadLetters.Values.Sum());
    }

    [Fact]
    public void Rates_of_zero_leave_only_organic_events_in_time_order()
    {
        var tally = Judge.Check(new SimulatorSource(Small with { Events = 5_000, Malformed = 0, Duplicates = 0, Bots = 0, Late = 0, OutOfOrder = 0 }));

        Assert.Equal(5_000, tally.Applied.Count);
        for (var i = 1; i < tally.Applied.Count; i++)
            Assert.True(tally.Applied[i].TimeMs >= tally.Applied[i - 1].TimeMs);
    }

    [Fact]
    public void Late_events_arrive_behind_newer_ones()
    {
        var tally = Judge.Check(new SimulatorSource(Small with { Events = 5_000, Late = 0.05 }));

        var newest = 0L;
        var late = 0;
        foreach (var message in tally.Applied)
        {
            if (message.TimeMs < newest - 600_000)
                late++;
            newest = Math.Max(newest, message.TimeMs);
        }

        Assert.InRange(late, 100, 300);
    }

    [Fact]
    public void Items_are_born_and_withdrawn_and_nobody_touches_what_is_not_on_sale()
    {
        var source = new SimulatorSource(Small with { Late = 0, OutOfOrder = 0, Duplicates = 0 });
        var onSale = new HashSet<string>();
        int born = 0, withdrawn = 0, first = 0;
        foreach (var message in source.Read())
        {
            if (message.Item is not { } item)
            {
                var chosen = message.Fate == Fate.Applied && message.Interaction.Type != EventTypes.Default.Find("return")!.Code;
                Assert.True(!chosen || onSale.Contains(message.Interaction.ItemId));
                first = first == 0 ? onSale.Count : first;
            }
            else if (item.Available)
            {
                Assert.True(onSale.Add(item.ItemId));
                born += first > 0 ? 1 : 0;
            }
            else
            {
                Assert.True(onSale.Remove(item.ItemId));
                withdrawn++;
            }
        }

        Assert.InRange(first, 450, 630);
        Assert.InRange(born, 200, 450);
        Assert.InRange(withdrawn, 20, 225);
    }

    [Fact]
    public void Who_knows_the_law_hits_as_often_as_promised_and_far_more_often_than_popularity()
    {
        var tally = Judge.Check(new SimulatorSource(Small));
        double hits = 0, promised = 0, popular = 0;
        var n = 0;
        var counts = new Dictionary<string, int>();
        HashSet<string> top = [];
        for (var e = 0; e < tally.Applied.Count; e++)
        {
            var message = tally.Applied[e];
            var item = message.Interaction.ItemId;
            if (e % 100 == 0)
                top = [.. counts.OrderByDescending(c => c.Value).Take(10).Select(c => c.Key)];
            if (message.Truth is { } truth)
            {
                n++;
                hits += truth.OracleRank <= 10 ? 1 : 0;
                promised += truth.OracleMass;
                popular += top.Contains(item) ? 1 : 0;
            }

            counts[item] = counts.GetValueOrDefault(item) + 1;
        }

        Assert.InRange(hits / n, (promised / n) - 0.015, (promised / n) + 0.015); // 4 sigma at 18,000 events
        Assert.InRange(hits / n, 0.25, 0.75);
        TestContext.Current.TestOutputHelper?.WriteLine($"oracle {hits / n:p1}, popularity {popular / n:p1}, events {n}");
        Assert.True(hits > 4 * popular, $"oracle {hits / n:p1}, popularity {popular / n:p1}");
    }

    [Fact]
    public void Texts_carry_the_category_they_belong_to()
    {
        var items = new SimulatorSource(Small).Read().TakeWhile(m => m.Item is not null).Select(m => m.Item!).ToList();

        Assert.All(items, i => Assert.True(
            Vocabulary.Topics.Single(t => t.Name == i.Categories[0]).Words.Intersect(i.Text!.Split(' ')).Any(), $"{i.Title}: {i.Text}"));
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(0.6)]
    [InlineData(double.NaN)]
    public void A_rate_out_of_range_is_refused_by_name(double rate)
    {
        var e = Assert.Throws<SourceException>(() => new SimulatorSource(new SimulatorOptions { Late = rate }));

        Assert.Contains("--late", e.Message, StringComparison.Ordinal);
    }
}
