using System.Buffers;
using System.Text;
using StreamRec.Contracts;
using Xunit;

namespace StreamRec.Tests.Contracts;

public sealed class InteractionDecoderTests
{
    private const long Now = 1_700_000_000_000;
    private const string Good = """{"event_id":"e1","user_id":"u1","item_id":"i1","type":"view","value":4.5,"time":"2023-11-14T22:13:20.123Z"}""";

    private readonly InteractionDecoder _decoder = new(new DecoderOptions { PooledIds = 1024 }, EventTypes.Default);

    private (DeadLetterReason Reason, Interaction Event, string? Detail) Decode(byte[] value)
    {
        var reason = _decoder.TryDecode(value, default, Now, out var e, out var detail);
        return (reason, e, detail);
    }

    private (DeadLetterReason Reason, Interaction Event, string? Detail) Decode(string value) => Decode(Encoding.UTF8.GetBytes(value));

    [Fact]
    public void A_complete_event_is_decoded()
    {
        var (reason, e, detail) = Decode(Good);
        Assert.Equal(DeadLetterReason.None, reason);
        Assert.Null(detail);
        Assert.Equal(new Interaction(EventIds.Hash("e1"), "u1", "i1", 1, 4.5f, 1_700_000_000_123), e);
    }

    [Theory]
    [InlineData("""{"event_id":"e1","user_id":"u1","item_id":"i1","type":"view","time":1700000000123}""")]
    [InlineData("""{"event_id":"e1","user_id":"u1","item_id":"i1","type":"view","time":1.700000000123e12}""")]
    [InlineData("""{"event_id":"e1","user_id":"u1","item_id":"i1","type":"view","time":"2023-11-14t23:13:20.123999+01:00"}""")]
    [InlineData(
        """{"session_id":"s","context":{"a":[1,{"b":2}]},"event_id":"e1","user_id":"u1","item_id":"i1","type":"view","value":null,"time":1700000000123}""")]
    [InlineData("""{"event_id":"old","event_id":"e1","user_id":7,"user_id":"u1","item_id":"i1","type":"?","type":"view","time":"x","time":1700000000123}""")]
    [InlineData("""{"event\u005fid":"\u0065\u0031","user_id":"u\u0031","item_id":"i\u0031","type":"vie\u0077","time":"2023-11-14T22:13:20.123\u005a"}""")]
    [InlineData("\uFEFF \n{ \"event_id\" : \"e1\", \"user_id\":\"u1\",\"item_id\":\"i1\",\"type\":\"view\",\"time\":1700000000123 } \n")]
    public void The_same_event_in_other_words_decodes_to_the_same_interaction(string json)
    {
        var (reason, e, _) = Decode(json);
        Assert.Equal(DeadLetterReason.None, reason);
        Assert.Equal(new Interaction(EventIds.Hash("e1"), "u1", "i1", 1, float.NaN, 1_700_000_000_123), e);
    }

    [Theory]
    [InlineData("", DeadLetterReason.MalformedJson, "not a JSON object")]
    [InlineData("42", DeadLetterReason.MalformedJson, "not a JSON object")]
    [InlineData("[]", DeadLetterReason.MalformedJson, "not a JSON object")]
    [InlineData("{", DeadLetterReason.MalformedJson, null)]
    [InlineData("{} {}", DeadLetterReason.MalformedJson, null)]
    [InlineData("{'event_id':1}", DeadLetterReason.MalformedJson, null)]
    [InlineData("{}", DeadLetterReason.MissingField, "event_id")]
    [InlineData("""{"event_id":"e"}""", DeadLetterReason.MissingField, "user_id")]
    [InlineData("""{"event_id":"e","user_id":"u"}""", DeadLetterReason.MissingField, "item_id")]
    [InlineData("""{"event_id":"e","user_id":"u","item_id":"i"}""", DeadLetterReason.MissingField, "type")]
    [InlineData("""{"event_id":"e","user_id":"u","item_id":"i","type":"view"}""", DeadLetterReason.MissingField, "time")]
    [InlineData("""{"event_id":"e","user_id":null,"item_id":"i","type":"view","time":1}""", DeadLetterReason.MissingField, "user_id")]
    public void Broken_or_incomplete_json_is_refused_with_what_is_wrong(string json, DeadLetterReason expected, string? detail)
    {
        var answer = Decode(json);
        Assert.Equal(expected, answer.Reason);
        Assert.NotNull(answer.Detail);
        if (detail is not null)
            Assert.Equal(detail, answer.Detail);
    }

    [Theory]
    [InlineData("user_id", "\"\"", DeadLetterReason.BadId)]
    [InlineData("user_id", "\"a\\u0000b\"", DeadLetterReason.BadId)]
    [InlineData("user_id", "\"a\\nb\"", DeadLetterReason.BadId)]
    [InlineData("user_id", "\"a\\u0085b\"", DeadLetterReason.BadId)]
    [InlineData("user_id", "\"\\ud800\"", DeadLetterReason.BadId)]
    [InlineData("user_id", "17", DeadLetterReason.BadId)]
    [InlineData("item_id", "{\"id\":1}", DeadLetterReason.BadId)]
    [InlineData("event_id", "true", DeadLetterReason.BadId)]
    [InlineData("event_id", "\"\\u007f\"", DeadLetterReason.BadId)]
    [InlineData("type", "\"stare\"", DeadLetterReason.UnknownType)]
    [InlineData("type", "\"View\"", DeadLetterReason.UnknownType)]
    [InlineData("type", "1", DeadLetterReason.UnknownType)]
    [InlineData("time", "\"yesterday\"", DeadLetterReason.BadTime)]
    [InlineData("time", "\"2023-11-14T22:13:20\"", DeadLetterReason.BadTime)]
    [InlineData("time", "\"2023-02-29T22:13:20Z\"", DeadLetterReason.BadTime)]
    [InlineData("time", "\"1969-12-31T23:59:59Z\"", DeadLetterReason.BadTime)]
    [InlineData("time", "-1", DeadLetterReason.BadTime)]
    [InlineData("time", "1e300", DeadLetterReason.BadTime)]
    [InlineData("time", "true", DeadLetterReason.BadTime)]
    [InlineData("time", "1700003600001", DeadLetterReason.FutureTime)]
    [InlineData("time", "253402300800000", DeadLetterReason.BadTime)]
    [InlineData("value", "\"NaN\"", DeadLetterReason.BadValue)]
    [InlineData("value", "\"5\"", DeadLetterReason.BadValue)]
    [InlineData("value", "1e400", DeadLetterReason.BadValue)]
    [InlineData("value", "4e38", DeadLetterReason.BadValue)]
    [InlineData("value", "[1]", DeadLetterReason.BadValue)]
    [InlineData("value", "NaN", DeadLetterReason.MalformedJson)]
    public void One_wrong_field_is_refused_for_its_own_reason(string field, string text, DeadLetterReason expected)
    {
        var names = new Dictionary<string, string>
        {
            ["event_id"] = "\"e\"",
            ["user_id"] = "\"u\"",
            ["item_id"] = "\"i\"",
            ["type"] = "\"view\"",
            ["time"] = "1",
        };
        names[field] = text;
        var answer = Decode("{" + string.Join(',', names.Select(p => $"\"{p.Key}\":{p.Value}")) + "}");
        Assert.Equal(expected, answer.Reason);
        Assert.NotNull(answer.Detail);
    }

    [Theory]
    [InlineData(256, DeadLetterReason.None)]
    [InlineData(257, DeadLetterReason.IdTooLong)]
    [InlineData(5000, DeadLetterReason.IdTooLong)]
    public void Ids_are_limited_in_bytes_also_when_escaped(int length, DeadLetterReason expected)
    {
        var plain = new string('x', length);
        var escaped = string.Concat(Enumerable.Repeat("\\u0078", length));
        foreach (var id in (string[])[plain, escaped])
        {
            Assert.Equal(expected, Decode(Good.Replace("u1", id, StringComparison.Ordinal)).Reason);
            Assert.Equal(expected, Decode(Good.Replace("e1", id, StringComparison.Ordinal)).Reason);
        }
    }

    [Fact]
    public void Odd_but_legal_ids_are_kept_as_they_are()
    {
        foreach (var id in (string[])["'; drop table users; --", "ключ", "用户-1", "🙂", "a b", "a\\b"])
        {
            var (reason, e, _) = Decode(Good.Replace("u1", id.Replace("\\", "\\\\", StringComparison.Ordinal), StringComparison.Ordinal));
            Assert.Equal(DeadLetterReason.None, reason);
            Assert.Equal(id, e.UserId);
            Assert.Same(e.UserId, Decode(Good.Replace("u1", id.Replace("\\", "\\\\", StringComparison.Ordinal), StringComparison.Ordinal)).Event.UserId);
        }
    }

    [Fact]
    public void Invalid_utf8_deep_json_and_large_values_are_refused()
    {
        Assert.Equal(DeadLetterReason.NotUtf8, Decode([.. Encoding.UTF8.GetBytes(Good[..^1]), 0xff, (byte)'}']).Reason);
        var deep = Good[..^1] + ",\"context\":" + new string('[', 5000) + new string(']', 5000) + "}";
        Assert.Equal(DeadLetterReason.MalformedJson, Decode(deep).Reason);
        Assert.Equal(DeadLetterReason.TooLarge, Decode(Good[..^1] + ",\"context\":\"" + new string('x', 65_536) + "\"}").Reason);
    }

    [Fact]
    public void CloudEvents_headers_stand_in_for_absent_fields_only()
    {
        var body = """{"user_id":"u1","item_id":"i1","value":2}"""u8;
        var headers = new EventHeaders { Id = "e1"u8, Type = "com.example.shop.purchase"u8, Time = "2023-11-14T22:13:20Z"u8 };
        Assert.Equal(DeadLetterReason.None, _decoder.TryDecode(body, headers, Now, out var e, out _));
        Assert.Equal(new Interaction(EventIds.Hash("e1"), "u1", "i1", 5, 2f, 1_700_000_000_000), e);

        Assert.Equal(DeadLetterReason.None, _decoder.TryDecode(Encoding.UTF8.GetBytes(Good), headers, Now, out e, out _));
        Assert.Equal((byte)1, e.Type);
        Assert.Equal(DeadLetterReason.BadId, _decoder.TryDecode(body, headers with { Id = [0xff] }, Now, out _, out _));
    }

    [Fact]
    public void Decoding_known_ids_allocates_nothing()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new InteractionWriter();
        writer.Write(buffer, "event-1", "user-1", "item-1", "rating", 3.5f, Now, "session");
        Assert.Equal(DeadLetterReason.None, _decoder.TryDecode(buffer.WrittenSpan, default, Now, out _, out _));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
            _decoder.TryDecode(buffer.WrittenSpan, default, Now, out _, out _);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1024);
    }
}
