using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Scorer;
using StreamRec.Tests.Model;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class ScoringTests
{
    private readonly ScoringHarness _scorer = new();

    [Fact]
    public void A_list_comes_when_the_debounce_window_is_over_and_leaves_out_what_the_user_has()
    {
        _scorer.Event("other", "a", 1000);
        _scorer.Event("other", "b", 1000);
        var offset = _scorer.Event("me", "a", 2000);
        _scorer.Scoring.FlushDue();
        Assert.Empty(_scorer.Lists);

        _scorer.Time.Advance(TimeSpan.FromMilliseconds(200));
        _scorer.Scoring.FlushDue();
        var mine = Assert.Single(_scorer.Lists, l => l.Key == "me");
        Assert.Equal(["b"], mine.Items);
        Assert.Equal(offset, mine.Cause.Offset);
        Assert.Equal(offset + 1, _scorer.Tracker.Safe);
    }

    [Fact]
    public void A_list_exists_before_the_users_next_moment()
    {
        _scorer.Event("other", "a", 1000);
        _scorer.Event("other", "b", 1000);
        _scorer.Event("other", "c", 1000);
        _scorer.Event("me", "a", 2000);
        var second = _scorer.Event("me", "b", 2000); // the same moment
        Assert.Empty(_scorer.Lists);
        _scorer.Event("me", "c", 2001);

        var list = Assert.Single(_scorer.Lists);
        Assert.Equal(second, list.Cause.Offset);
        Assert.Equal(["c"], list.Items);
        Assert.Equal(0, _scorer.Tracker.Safe); // the events of "other" are open still
    }

    [Fact]
    public void An_event_is_tested_against_the_list_its_user_had_before_it()
    {
        foreach (var item in new[] { "a", "b", "b", "c", "c", "c" })
            _scorer.Event("crowd-" + item + _scorer.Stats.Applied, item, 1000);
        var before = _scorer.Prequential.Report().Served;

        _scorer.Event("me", "c", 2000); // no list yet: the popularity list c, b, a
        _scorer.Event("me", "b", 3000); // the list of the moment before: b, a without c

        var after = _scorer.Prequential.Report().Served;
        Assert.Equal(2, after.N - before.N);
        Assert.Equal(2, Hits(after) - Hits(before));
    }

    [Fact]
    public void Popularity_is_tested_on_the_same_events_under_the_same_seen_rule()
    {
        for (var i = 0; i < 3; i++)
            _scorer.Event("crowd" + i, "a", 1000);
        for (var i = 0; i < 2; i++)
            _scorer.Event("crowd" + i, "b", 1100);
        _scorer.Event("me", "a", 2000);
        var before = _scorer.Prequential.Report();
        _scorer.Event("me", "b", 3000); // a is seen, so b leads the popularity list
        var after = _scorer.Prequential.Report();
        Assert.Equal(after.Served.N, after.Popularity.N);
        Assert.Equal(1, (after.Popularity.Mrr20 * after.Popularity.N) - (before.Popularity.Mrr20 * before.Popularity.N), 9);
    }

    [Fact]
    public void A_repeat_of_a_seen_item_is_no_test_where_seen_items_are_excluded()
    {
        _scorer.Event("me", "a", 1000);
        _scorer.Event("me", "a", 2000);
        Assert.Equal(1, _scorer.Prequential.Report().Served.N);
    }

    [Fact]
    public void Negative_events_are_not_tested_and_not_popular()
    {
        _scorer.Event("me", "a", 1000, "dislike");
        Assert.Equal(0, _scorer.Prequential.Report().Served.N);
        Assert.Equal(0, _scorer.Scoring.Serving.Counters.Month[_scorer.Scoring.Serving.Items.ToSpace(0)]);
    }

    [Fact]
    public void An_event_the_graph_already_holds_is_scored_but_neither_applied_nor_tested()
    {
        _scorer.Event("me", "a", 1000);
        var edges = _scorer.Graph.EdgeCount;
        _scorer.Event("me", "a", 1000, fresh: false);
        Assert.Equal(edges, _scorer.Graph.EdgeCount);
        Assert.Equal(1, _scorer.Stats.Applied);
        Assert.Equal(2, _scorer.Stats.Scored);
        Assert.Equal(1, _scorer.Prequential.Report().Served.N);
    }

    [Fact]
    public void Walks_name_their_evidence_from_the_users_own_history()
    {
        foreach (var user in new[] { "u1", "u2" })
        {
            _scorer.Event(user, "a", 1000);
            _scorer.Event(user, "b", 1001);
        }

        for (var i = 0; i < 60; i++)
            _scorer.Event("stranger" + i, "popular" + (i % 12), 1000);
        _scorer.Event("me", "a", 2000);
        _scorer.Scoring.FlushAll();
        var mine = _scorer.Lists.Last(l => l.Key == "me");
        var b = Array.IndexOf(mine.Items, "b");
        Assert.Equal("walk", mine.Channels[b]);
        Assert.Equal(["a"], mine.Evidence[b]);
        Assert.All(mine.Evidence.SelectMany(e => e), e => Assert.Equal("a", e));
    }

    [Fact]
    public void A_withdrawn_item_leaves_the_lists_it_was_in_at_once()
    {
        _scorer.Event("other", "a", 1000);
        _scorer.Event("other", "b", 1000);
        _scorer.Event("me", "c", 2000);
        _scorer.Scoring.FlushAll();
        Assert.Contains("a", _scorer.Lists.Last(l => l.Key == "me").Items);

        _scorer.Scoring.Item("a", null);
        _scorer.Scoring.ReplaceWithdrawn(new Cause("items.v1", 0, 7, 0, null));
        var replaced = _scorer.Lists.Last(l => l.Key == "me");
        Assert.DoesNotContain("a", replaced.Items);
        Assert.Equal("items.v1", replaced.Cause.Topic);

        _scorer.Scoring.Item("a", new ItemRecord { ItemId = "a" });
        Assert.Contains("a", _scorer.Request(new RecommendationRequest { RequestId = "r", UserId = "me" }).Items);
    }

    [Fact]
    public void What_is_known_of_a_person_reaches_the_model_with_their_next_list()
    {
        var artifact = TestModels.Full(30, 4, new EncoderConfig { Dim = 16, Ffn = 32, AttributeRows = 2 });
        var config = artifact.Manifest.Config with { Channels = [ChannelNames.Gnn], UserAttributes = ["plan=basic", "plan=pro"] };
        var model = RankingModel.From(new ModelArtifact(artifact.Manifest with { Config = config }, artifact.Items, artifact.Tensors));
        var scorer = new ScoringHarness();
        scorer.Scoring.Swap(model);
        foreach (var user in (string[])["known", "unknown"])
        {
            for (var i = 0; i < 5; i++)
                scorer.Event(user, $"i{i}", 1_000_000 + (i * 60_000));
        }

        string[] ListOf(string user) => scorer.Request(new RecommendationRequest { RequestId = $"r{scorer.Lists.Count}", UserId = user, K = 20 }).Items;
        var before = ListOf("known");
        Assert.Equal(ListOf("unknown"), before);
        scorer.Scoring.User(new UserRecord { UserId = "known", Attributes = new Dictionary<string, string> { ["plan"] = "pro", ["city"] = "x" } });
        Assert.NotEqual(before, ListOf("known"));
        Assert.Equal(before, ListOf("unknown"));
        scorer.Scoring.User(new UserRecord { UserId = "known" });
        Assert.Equal(before, ListOf("known"));
    }

    [Fact]
    public void An_item_born_after_the_model_gets_the_place_kept_for_it_and_says_that_it_is_new()
    {
        var artifact = TestModels.Full(30, 4);
        var config = artifact.Manifest.Config with { NewItems = new NewItemsConfig { From = 2, Share = 1, BelowEvents = 0 } };
        var scorer = new ScoringHarness();
        scorer.Scoring.Swap(RankingModel.From(new ModelArtifact(artifact.Manifest with { Config = config }, artifact.Items, artifact.Tensors)));
        scorer.Event("other", "born", 1_000_000);
        for (var i = 0; i < 5; i++)
            scorer.Event("me", $"i{i}", 1_000_000 + (i * 60_000));
        var list = scorer.Request(new RecommendationRequest { RequestId = "r", UserId = "me", K = 5 });
        Assert.Equal(5, list.Items.Length);
        Assert.Equal("born", list.Items[2]);
        Assert.Equal([false, false, true, false, false], list.Channels.Select(c => c == ChannelNames.New));
    }

    [Fact]
    public void An_erased_user_is_forgotten_and_holds_no_offset_back()
    {
        _scorer.Event("me", "a", 1000);
        Assert.Equal(0, _scorer.Tracker.Safe);
        Assert.Equal(1, _scorer.Scoring.Erase("me"));
        Assert.Equal(1, _scorer.Tracker.Safe);
        _scorer.Time.Advance(TimeSpan.FromSeconds(1));
        _scorer.Scoring.FlushDue();
        Assert.Empty(_scorer.Lists);
        Assert.Equal(0, _scorer.Scoring.Erase("me"));
    }

    [Fact]
    public void Repeats_are_allowed_once_the_stream_shows_them()
    {
        var shop = new ScoringHarness(o => o with { Seen = SeenPolicy.Auto });
        for (var i = 0; i < RepeatRule.MinEvents; i++)
            shop.Event("u" + (i % 50), "i" + (i % 100), 1000 + i, "purchase"); // each pair five times
        Assert.True(shop.Stats.RepeatsAllowed);

        var cinema = new ScoringHarness(o => o with { Seen = SeenPolicy.Auto });
        for (var i = 0; i < 2 * RepeatRule.MinEvents; i++)
            cinema.Event("u" + (i % 50), "i" + i, 1000 + i, i % 2 == 0 ? "view" : "like");
        Assert.False(cinema.Stats.RepeatsAllowed);
    }

    private static double Hits(PrequentialMetrics m) => Math.Round(m.Hr10 * m.N);
}
