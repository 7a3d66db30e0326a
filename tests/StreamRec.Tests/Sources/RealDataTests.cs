using StreamRec.Contracts;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.Tests.Sources;

public class RealDataTests
{
    [Fact]
    public void MovieLens_is_100_000_ratings_in_time_order_with_titles_genres_and_descriptions()
    {
        var tally = Judge.Check(new MovieLensSource(SharedData.Folder("ml-100k"), 0));

        Assert.Equal(100_000, tally.Applied.Count);
        Assert.Empty(tally.DeadLetters);
        Assert.Equal(1_682, tally.Items.Count);
        Assert.Equal("Toy Story (1995)", tally.Items["1"].Title);
        Assert.Equal(["Animation", "Children's", "Comedy"], tally.Items["1"].Categories);
        Assert.Contains("spy film", tally.Items["2"].Text, StringComparison.Ordinal);
        Assert.Contains(tally.Items.Values, i => i.Title == "Misérables, Les (1995)"); // the catalogue is Latin-1
        AssertInTimeOrder(tally);
        Assert.All(tally.Applied.Take(100), m => Assert.InRange(m.Interaction.Value, 1, 5));
    }

    [Fact]
    public void Online_retail_accounts_for_all_541_909_lines()
    {
        var tally = Judge.Check(new OnlineRetailSource(SharedData.Folder("online-retail"), 0));

        Assert.Equal(541_909, tally.Produced);
        Assert.Equal([DeadLetterReason.MissingField], tally.DeadLetters.Keys);
        Assert.Equal(135_080, tally.DeadLetters[DeadLetterReason.MissingField]);
        Assert.Equal(541_909 - 135_080, tally.Applied.Count);
        var purchase = EventTypes.Default.Find("purchase")!.Code;
        Assert.Equal(397_924, tally.Applied.Count(m => m.Interaction.Type == purchase));
        Assert.All(tally.Applied, m => Assert.True(m.Interaction.Value > 0));
        Assert.Equal("WHITE HANGING HEART T-LIGHT HOLDER", tally.Items["85123A"].Title);
        Assert.All(tally.Items.Values, i => Assert.Equal(i.ItemId.Trim(), i.ItemId));
        AssertInTimeOrder(tally);
    }

    [Fact]
    public void A_limit_takes_the_first_events_in_time()
    {
        var folder = SharedData.Folder("ml-100k");
        var first = Judge.Check(new MovieLensSource(folder, 500));
        var all = Judge.Check(new MovieLensSource(folder, 0));

        Assert.Equal(all.Applied.Take(500).Select(m => m.Interaction), first.Applied.Select(m => m.Interaction));
    }

    private static void AssertInTimeOrder(Judge.Tally tally)
    {
        for (var i = 1; i < tally.Applied.Count; i++)
            Assert.True(tally.Applied[i].TimeMs >= tally.Applied[i - 1].TimeMs);
    }
}
