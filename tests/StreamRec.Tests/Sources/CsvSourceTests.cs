using System.Text;
using StreamRec.Contracts;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.Tests.Sources;

public sealed class CsvSourceTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"streamrec-{Guid.NewGuid():n}.csv");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Rows_become_events_in_time_order_with_their_items()
    {
        var source = Open("customer,sku,at,qty,name\nann,A,2024-01-02,2,Apple\nbob,B,2024-01-01 10:00,1.5,\nann,B,1704000000,,Pear\n",
            "user=customer,item=sku,time=at,type=purchase,value=qty,title=name");

        var tally = Judge.Check(source);

        Assert.Equal(["ann", "bob", "ann"], tally.Applied.Select(m => m.Key));
        Assert.Equal(["B", "B", "A"], tally.Applied.Select(m => m.Interaction.ItemId));
        Assert.Equal([float.NaN, 1.5f, 2f], tally.Applied.Select(m => m.Interaction.Value));
        Assert.Equal("Pear", tally.Items["B"].Title);
        Assert.All(tally.Applied, m => Assert.Equal(EventTypes.Default.Find("purchase")!.Code, m.Interaction.Type));
        Assert.Empty(source.Notes);
    }

    [Fact]
    public void Every_unreadable_row_is_still_sent_and_its_column_and_line_are_named()
    {
        var long_ = new string('x', 300);
        var source = Open(
            "u,i,t,k,v\n" + "a,1,2024-01-01T00:00:00Z,view,1\n" + ",1,2024-01-01,view,1\n" + "a,,2024-01-01,view,1\n" + "a,1,01/02/2024,view,1\n"
            + "a,1,2024-01-01,teleport,1\n" + "a,1,2024-01-01,view,many\n"
            + $"a,{long_},2024-01-01,view,1\n" + "a,1,2024-01-01\n" + "a,1,2999-01-01,view,\n" + "a,1,,view,1\n",
            "user=u,item=i,time=t,type=k,value=v");

        var tally = Judge.Check(source);

        Assert.Equal(10, tally.Produced);
        Assert.Single(tally.Applied);
        Assert.Equal(3, tally.DeadLetters[DeadLetterReason.MissingField]);
        foreach (var reason in new[]
        {
            DeadLetterReason.BadTime, DeadLetterReason.UnknownType, DeadLetterReason.BadValue,
            DeadLetterReason.IdTooLong, DeadLetterReason.MalformedJson, DeadLetterReason.FutureTime,
        })
            Assert.Equal(1, tally.DeadLetters[reason]);
        Assert.Contains("line 3, column u: empty", source.Notes[0], StringComparison.Ordinal);
        Assert.Contains("line 5, column t: '01/02/2024' is no time", source.Notes[2], StringComparison.Ordinal);
        Assert.Contains("4 more rows", source.Notes[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_with_broken_quoting_keeps_its_text()
    {
        var source = Open("u,i,t\na,1,2024-01-01\nb,\"x\"y,2024-01-01\n", "user=u,item=i,time=t");

        var bad = Assert.Single(source.Read(), m => m.Fate == Fate.DeadLetter);

        Assert.Equal("csv:b,\"x\"y,2024-01-01", Encoding.UTF8.GetString(bad.Value));
        Assert.Equal(2, Judge.Check(source).Produced);
    }

    [Fact]
    public void A_repeated_event_id_is_a_duplicate()
    {
        var tally = Judge.Check(Open("id,u,i,t\ne1,a,1,2024-01-01\ne1,a,1,2024-01-01\n", "user=u,item=i,time=t,event=id"));

        Assert.Equal(1, tally.Duplicates);
    }

    [Fact]
    public void Columns_can_be_numbered_where_there_is_no_heading()
    {
        var tally = Judge.Check(Open("a\t1\t881250949\nb\t2\t881250950\n", "user=#1,item=#2,time=#3"));

        Assert.Equal([881250949000, 881250950000], tally.Applied.Select(m => m.Interaction.TimeMs));
    }

    [Theory]
    [InlineData("user=u,item=i,time=when", "--map time=when")]
    [InlineData("user=u,item=i", "--map lacks time=<column>")]
    [InlineData("user=u,item=i,time=t,colour=c", "no field 'colour'")]
    [InlineData("user=u,item=i,time=t,type=teleport", "it is no event type")]
    [InlineData("user=u,user=i,time=t", "gives 'user' twice")]
    [InlineData("user", "'user' is not field=column")]
    [InlineData("", "needs --map")]
    public void A_mapping_that_cannot_work_names_the_field_and_the_column(string map, string message)
    {
        var e = Assert.Throws<SourceException>(() => Open("u,i,t\na,1,2024-01-01\n", map));

        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_quote_that_never_closes_names_its_line()
    {
        var e = Assert.Throws<SourceException>(() => Open("u,i,t\na,1,2024-01-01\nb,\"1,2024-01-01\nc,2,2024-01-01\n", "user=u,item=i,time=t"));

        Assert.Contains("line 3", e.Message, StringComparison.Ordinal);
    }

    private CsvSource Open(string text, string map)
    {
        File.WriteAllText(_file, text);
        return new CsvSource(_file, CsvMapping.Parse(map), 0);
    }
}
