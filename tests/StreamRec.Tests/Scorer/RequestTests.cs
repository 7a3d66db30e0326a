using StreamRec.Contracts;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class RequestTests
{
    private readonly ScoringHarness _scorer = new();

    public RequestTests()
    {
        foreach (var (id, categories) in new (string, string[])[] { ("a", ["red"]), ("b", ["red", "big"]), ("c", ["blue"]), ("d", []) })
            _scorer.Scoring.Item(id, new ItemRecord { ItemId = id, Categories = categories });
        foreach (var item in new[] { "a", "b", "b", "c", "c", "c", "d" })
            _scorer.Event("u" + _scorer.Stats.Applied, item, 1000);
    }

    [Fact]
    public void An_unknown_user_gets_what_is_popular()
    {
        var list = Ask(new RecommendationRequest { RequestId = "r1", UserId = "nobody" });
        Assert.Equal("c", list.Items[0]);
        Assert.Equal("b", list.Items[1]);
        Assert.Equal(4, list.Items.Length);
        Assert.Equal("nobody", list.Key);
        Assert.Equal("r1", list.Header.RequestId);
    }

    [Fact]
    public void Session_items_stand_in_for_an_unknown_users_history_and_are_not_recommended_back()
    {
        var list = Ask(new RecommendationRequest { RequestId = "r1", SessionItems = ["c", "never-heard-of"] });
        Assert.DoesNotContain("c", list.Items);
        Assert.Equal("r1", list.Key);
    }

    [Fact]
    public void K_bounds_the_list() => Assert.Equal(2, Ask(new RecommendationRequest { RequestId = "r", UserId = "x", K = 2 }).Items.Length);

    [Fact]
    public void Categories_keep_items_that_have_one_of_them() =>
        Assert.Equal(["a", "b"], Filtered(new RequestFilters { Categories = ["red", "no such category"] }));

    [Fact]
    public void A_category_no_item_has_gives_an_empty_list() => Assert.Empty(Filtered(new RequestFilters { Categories = ["green"] }));

    [Fact]
    public void Excluded_items_are_left_out() => Assert.Equal(["a", "d"], Filtered(new RequestFilters { Exclude = ["b", "c", "unknown"] }));

    [Fact]
    public void An_allow_list_keeps_nothing_else() => Assert.Equal(["a", "c"], Filtered(new RequestFilters { Allow = ["a", "c", "unknown"] }));

    [Fact]
    public void Filters_combine() =>
        Assert.Equal(["b"], Filtered(new RequestFilters { Allow = ["a", "b", "c"], Categories = ["red"], Exclude = ["a"] }));

    [Fact]
    public void An_unavailable_item_is_in_no_list_whatever_is_allowed()
    {
        _scorer.Scoring.Item("a", new ItemRecord { ItemId = "a", Available = false });
        Assert.Equal(["c"], Filtered(new RequestFilters { Allow = ["a", "c"] }));
        Assert.Equal(["b", "c", "d"], Filtered(new RequestFilters()));
    }

    [Fact]
    public void An_item_born_after_the_filter_buffers_were_made_is_found()
    {
        Filtered(new RequestFilters { Categories = ["red"] });
        for (var i = 0; i < 300; i++)
            _scorer.Scoring.Item("new" + i, new ItemRecord { ItemId = "new" + i, Categories = ["fresh" + i] });
        Assert.Equal(["new299"], Filtered(new RequestFilters { Categories = ["fresh299"] }));
    }

    private string[] Filtered(RequestFilters filters) =>
        [.. Ask(new RecommendationRequest { RequestId = Guid.NewGuid().ToString(), UserId = "nobody", Filters = filters }).Items.Order(StringComparer.Ordinal)];

    private ScoringHarness.SentList Ask(RecommendationRequest request) => _scorer.Request(request);
}
