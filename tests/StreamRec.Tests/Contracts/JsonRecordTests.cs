using System.Text;
using StreamRec.Contracts;
using Xunit;

namespace StreamRec.Tests.Contracts;

public sealed class JsonRecordTests
{
    [Fact]
    public void Records_are_written_in_snake_case_and_read_back()
    {
        var item = new ItemRecord
        {
            ItemId = "i1", Title = "A title", Text = "text", Categories = ["a", "b"], Available = false,
            Attributes = new Dictionary<string, string> { ["Color"] = "red" }, PublishedAt = DateTimeOffset.UnixEpoch,
        };
        var json = Encoding.UTF8.GetString(Json.Encode(item));
        Assert.Contains("\"item_id\":\"i1\"", json, StringComparison.Ordinal);
        Assert.Contains("\"published_at\":", json, StringComparison.Ordinal);
        Assert.Contains("\"Color\":\"red\"", json, StringComparison.Ordinal);
        Assert.True(Json.TryDecode(Encoding.UTF8.GetBytes(json), out ItemRecord? back, out _, out _));
        Assert.Equivalent(item, back);

        var list = new RecommendationList
        {
            Trigger = "interactions", UserId = "u", ModelVersion = 3, GeneratedAt = DateTimeOffset.UnixEpoch,
            Items = [new RecommendedItem("i1", 1, 0.5f, "gnn", "because of i2", ["i2"])],
            CausedBy = new CausedBy("streamrec.interactions.v1", 2, 17, DateTimeOffset.UnixEpoch),
        };
        Assert.True(Json.TryDecode(Json.Encode(list), out RecommendationList? again, out _, out _));
        Assert.Equivalent(list, again);
        Assert.Contains("\"caused_by\":{\"topic\":", Encoding.UTF8.GetString(Json.Encode(list)), StringComparison.Ordinal);
    }

    [Fact]
    public void Attributes_of_any_json_type_become_text()
    {
        var json = """{"item_id":"i","attributes":{"a":1.50,"b":true,"c":null,"d":[1,2],"e":"x"},"categories":null,"title":null,"new_field":{}}"""u8;
        Assert.True(Json.TryDecode(json, out ItemRecord? item, out _, out var detail), detail);
        Assert.Equal(new Dictionary<string, string> { ["a"] = "1.50", ["b"] = "true", ["d"] = "[1,2]", ["e"] = "x" }, item.Attributes);
        Assert.Empty(item.Categories);
        Assert.Equal("", item.Title);
        Assert.True(item.Available);
    }

    [Theory]
    [InlineData("""{"title":"x"}""", DeadLetterReason.MissingField)]
    [InlineData("""{"item_id":""}""", DeadLetterReason.BadId)]
    [InlineData("""{"item_id":null}""", DeadLetterReason.MissingField)]
    [InlineData("""{"item_id":"a","available":"maybe"}""", DeadLetterReason.MalformedJson)]
    [InlineData("""{"item_id":"\ud800"}""", DeadLetterReason.MalformedJson)]
    [InlineData("""null""", DeadLetterReason.MalformedJson)]
    [InlineData("""[""", DeadLetterReason.MalformedJson)]
    public void A_bad_item_is_refused_with_its_reason(string json, DeadLetterReason expected)
    {
        Assert.False(Json.TryDecode(Encoding.UTF8.GetBytes(json), out ItemRecord? item, out var reason, out _));
        Assert.Null(item);
        Assert.Equal(expected, reason);
    }

    [Theory]
    [InlineData("""{"request_id":"r","user_id":"u"}""", DeadLetterReason.None)]
    [InlineData("""{"request_id":"r","session_items":["a",null]}""", DeadLetterReason.None)]
    [InlineData("""{"request_id":"r"}""", DeadLetterReason.MissingField)]
    [InlineData("""{"user_id":"u"}""", DeadLetterReason.MissingField)]
    [InlineData("""{"request_id":"r","user_id":"u","k":0}""", DeadLetterReason.BadValue)]
    [InlineData("""{"request_id":"r","user_id":"u","k":501}""", DeadLetterReason.BadValue)]
    [InlineData("""{"request_id":"r","user_id":"u\u0000"}""", DeadLetterReason.BadId)]
    public void Requests_are_checked(string json, DeadLetterReason expected)
    {
        var good = Json.TryDecode(Encoding.UTF8.GetBytes(json), out RecommendationRequest? request, out var reason, out _);
        Assert.Equal(expected, reason);
        Assert.Equal(expected == DeadLetterReason.None, good);
        Assert.Equal(good, request is not null);
    }

    [Fact]
    public void The_id_pool_is_bounded_and_keeps_what_is_in_use()
    {
        var pool = new Utf8IdPool(16);
        var hot = pool.Intern("hot"u8);
        for (var i = 0; i < 1000; i++)
        {
            pool.Intern(Encoding.UTF8.GetBytes($"cold-{i}"));
            Assert.Same(hot, pool.Intern("hot"u8));
        }

        Assert.Null(pool.Find("cold-0"u8));
    }
}
