using System.Buffers;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using StreamRec.Contracts;
using Xunit;

namespace StreamRec.Tests.Contracts;

public sealed class DecoderPropertyTests
{
    private static readonly InteractionDecoder Decoder = new(new DecoderOptions { PooledIds = 64 }, EventTypes.Default);
    private static readonly Config Quick = Properties.Quick.WithMaxTest(2000);

    private static readonly Gen<string> IdGen =
        from text in ArbMap.Default.GeneratorFor<NonEmptyString>()
        where Ids.Check(text.Get) == DeadLetterReason.None
        select text.Get;

    private static readonly Gen<Interaction> EventGen =
        from user in IdGen
        from item in IdGen
        from type in Gen.Elements(EventTypes.Default.All.AsEnumerable())
        from value in ArbMap.Default.GeneratorFor<float>()
        from time in LongGen(0, 1_700_000_000_000)
        select new Interaction(0, user, item, type.Code, float.IsFinite(value) ? value : float.NaN, time);

    private static Gen<long> LongGen(long low, long high) =>
        from a in Gen.Choose(0, int.MaxValue)
        from b in Gen.Choose(0, int.MaxValue)
        select low + (long)((((UInt128)(uint)a << 31) | (uint)b) % (UInt128)(high - low + 1));

    [Fact]
    public void What_the_writer_writes_the_decoder_reads()
    {
        using var writer = new InteractionWriter();
        Check.One(Quick, Prop.ForAll((from e in EventGen from id in IdGen select (e, id)).ToArbitrary(), pair =>
        {
            var (e, id) = pair;
            var buffer = new ArrayBufferWriter<byte>();
            writer.Write(buffer, id, e.UserId, e.ItemId, EventTypes.Default.Find(e.Type)!.Name, e.Value, e.TimeMs);
            var reason = Decoder.TryDecode(buffer.WrittenSpan, default, e.TimeMs, out var read, out _);
            return reason == DeadLetterReason.None && read.Equals(e with { EventId = EventIds.Hash(id) });
        }));
    }

    [Fact]
    public void Random_bytes_never_throw_and_never_pass()
    {
        Check.One(Quick, Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
            Decoder.TryDecode(bytes, default, 0, out _, out _) != DeadLetterReason.None
            && !Json.TryDecode(bytes, out ItemRecord? _, out _, out _)
            && !Json.TryDecode(bytes, out RecommendationRequest? _, out _, out _)));
    }

    [Fact]
    public void A_damaged_event_never_throws()
    {
        var good = Encoding.UTF8.GetBytes(
            """{"event_id":"e\u00e9","user_id":"u","item_id":"i","type":"view","value":1.5,"time":"2023-11-14T22:13:20.123Z","context":{"a":[1]}}""");
        var damage = from at in Gen.Choose(0, good.Length - 1)
                     from cut in Gen.Choose(0, 8)
                     from put in Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>())
                     select (byte[])[.. good.AsSpan(0, at), .. put, .. good.AsSpan(Math.Min(good.Length, at + cut))];
        Check.One(Quick.WithMaxTest(20_000), Prop.ForAll(damage.ToArbitrary(), bytes =>
            Enum.IsDefined(Decoder.TryDecode(bytes, default, long.MaxValue / 2, out _, out _))));
    }

    [Fact]
    public void Rfc3339_agrees_with_the_framework_on_every_day()
    {
        var times = LongGen(-62_135_596_800_000, 253_402_300_799_999);
        Check.One(Quick.WithMaxTest(20_000), Prop.ForAll(times.ToArbitrary(), ms =>
        {
            var text = DateTimeOffset.FromUnixTimeMilliseconds(ms).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", System.Globalization.CultureInfo.InvariantCulture);
            return Rfc3339.TryParse(Encoding.UTF8.GetBytes(text), out var read) && read == ms;
        }));
    }
}
