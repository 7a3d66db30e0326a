using System.Text;
using StreamRec.Contracts;
using StreamRec.Scorer;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class ListWriterTests
{
    [Fact]
    public void What_is_written_reads_back_as_the_wire_record()
    {
        string[] ids = ["plain", "quote\" \\ é 日本", "third"];
        using var writer = new ListWriter(i => ids[i]);
        var list = new RankedList();
        list.Begin(42);
        ref var first = ref list.Add();
        (first.Item, first.Score, first.Channel) = (1, 1.5f, "gnn");
        (first.Evidence[0], first.Evidence[1], first.EvidenceCount) = (0, 2, 2);
        ref var second = ref list.Add();
        (second.Item, second.Score, second.Channel) = (0, -0.25f, "popularity");
        var cause = new Cause("streamrec.interactions.v1", 3, 1234567890123, 1_700_000_000_123, null);

        var json = writer.Write(new ListHeader(null, "user \"1\"", cause, 1_700_000_000_456), list);

        Assert.True(Json.TryDecode(json, out RecommendationList? read, out _, out var detail), detail);
        Assert.Equal("interactions", read.Trigger);
        Assert.Null(read.RequestId);
        Assert.Equal("user \"1\"", read.UserId);
        Assert.Equal(42, read.ModelVersion);
        Assert.Equal(new CausedBy("streamrec.interactions.v1", 3, 1234567890123, DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123)), read.CausedBy);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_456), read.GeneratedAt);
        Assert.Equal((ids[1], 1, 1.5f, "gnn"), (read.Items[0].ItemId, read.Items[0].Rank, read.Items[0].Score, read.Items[0].Channel));
        Assert.Equal("because of plain, third", read.Items[0].Reason);
        Assert.Equal(["plain", "third"], read.Items[0].Evidence);
        Assert.Equal(("plain", 2, -0.25f, "popularity"), (read.Items[1].ItemId, read.Items[1].Rank, read.Items[1].Score, read.Items[1].Channel));
        Assert.Empty(read.Items[1].Evidence);
        Assert.Equal("popular in the last 30 days", read.Items[1].Reason);
    }

    [Theory]
    [InlineData(0, "new")]
    [InlineData(2, "new, because of i0, i0")]
    public void An_entry_in_a_place_kept_for_new_items_says_so(int evidence, string reason)
    {
        using var writer = new ListWriter(i => "i" + i);
        var list = new RankedList();
        list.Begin(1);
        ref var entry = ref list.Add();
        (entry.Item, entry.Channel, entry.EvidenceCount) = (7, "new", evidence);
        Assert.True(Json.TryDecode(writer.Write(new ListHeader("r", null, null, 0), list), out RecommendationList? read, out _, out _));
        Assert.Equal(("i7", "new", reason), (read.Items[0].ItemId, read.Items[0].Channel, read.Items[0].Reason));
    }

    [Fact]
    public void The_fields_are_those_the_serializer_writes()
    {
        using var writer = new ListWriter(i => "i" + i);
        var list = new RankedList();
        list.Begin(1);
        ref var entry = ref list.Add();
        (entry.Item, entry.Score, entry.Channel) = (7, 2f, "gnn");
        var json = writer.Write(new ListHeader("r1", null, null, 0), list);
        Assert.True(Json.TryDecode(json, out RecommendationList? read, out _, out _));
        Assert.Equal(Names(Json.Encode(read)), Names(json));
        Assert.StartsWith("{\"request_id\":\"r1\",\"trigger\":\"request\",", Encoding.UTF8.GetString(json), StringComparison.Ordinal);
    }

    [Fact]
    public void A_reason_longer_than_the_first_buffer_is_whole()
    {
        var longId = new string('x', 200);
        using var writer = new ListWriter(_ => longId);
        var list = new RankedList();
        list.Begin(1);
        ref var entry = ref list.Add();
        (entry.Channel, entry.EvidenceCount) = ("gnn", 3);
        Assert.True(Json.TryDecode(writer.Write(new ListHeader("r", null, null, 0), list), out RecommendationList? read, out _, out _));
        Assert.Equal($"because of {longId}, {longId}, {longId}", read.Items[0].Reason);
    }

    private static string[] Names(byte[] json)
    {
        using var document = System.Text.Json.JsonDocument.Parse(json);
        return
        [
            .. document.RootElement.EnumerateObject().Select(p => p.Name),
            .. document.RootElement.GetProperty("items")[0].EnumerateObject().Select(p => p.Name),
        ];
    }
}
