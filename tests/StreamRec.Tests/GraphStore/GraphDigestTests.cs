using FsCheck;
using FsCheck.Fluent;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using Xunit;

namespace StreamRec.Tests.GraphStore;

public sealed class GraphDigestTests
{
    private static readonly Interaction One = new(EventIds.Hash("e"), "u", "i", 1, 2f, 3);

    [Fact]
    public void Order_and_repeats_do_not_change_the_digest()
    {
        var events = ArbMap.Default.GeneratorFor<NonEmptyArray<(byte Id, byte User, byte Item)>>()
            .Select(a => a.Get.Select(x => new Interaction(x.Id, $"u{x.Id % 5}", $"i{x.Id % 7}", 1, x.Id, x.Id)).ToArray());
        Check.One(Properties.Quick, Prop.ForAll(events.ToArbitrary(), input =>
        {
            var twice = input.Reverse().Concat(input).ToArray();
            return GraphDigest.Of(input) == GraphDigest.Of(twice) && GraphDigest.Of(input).Count == input.Select(e => e.EventId).Distinct().Count();
        }));
    }

    [Fact]
    public void Every_field_matters()
    {
        Interaction[] others =
        [
            One with { EventId = 1 }, One with { UserId = "U" }, One with { ItemId = "I" }, One with { Type = 2 }, One with { Value = -2f },
            One with { Value = float.NaN }, One with { TimeMs = 4 }, One with { UserId = "i", ItemId = "u" },
        ];
        var digests = others.Append(One).Select(e => GraphDigest.Of([e]).ToString()).ToHashSet();
        Assert.Equal(others.Length + 1, digests.Count);
    }

    [Fact]
    public void Parts_add_up_and_the_empty_graph_is_zero()
    {
        var (a, b) = (GraphDigest.Of([One]), GraphDigest.Of([One with { EventId = 9 }]));
        a.Add(b);
        Assert.Equal(GraphDigest.Of([One with { EventId = 9 }, One]).ToString(), a.ToString());
        Assert.Equal("0-0000000000000000", default(GraphDigest).ToString());
    }
}
