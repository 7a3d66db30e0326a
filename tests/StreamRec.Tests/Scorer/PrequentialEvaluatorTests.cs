using StreamRec.Scorer;
using Xunit;

namespace StreamRec.Tests.Scorer;

public class PrequentialEvaluatorTests
{
    [Fact]
    public void A_hand_made_stream_gives_the_means_computed_by_hand()
    {
        var evaluator = new PrequentialEvaluator(windowEvents: 100);
        evaluator.Add(version: 0, servedRank: 1, popularityRank: 0, eventMs: 1);
        evaluator.Add(version: 0, servedRank: 0, popularityRank: 20, eventMs: 2);
        evaluator.Add(version: 3, servedRank: 10, popularityRank: 2, eventMs: 3);
        evaluator.Add(version: 3, servedRank: 11, popularityRank: 21, eventMs: 4);

        var report = evaluator.Report();
        Assert.Equal(4, report.Served.N);
        Assert.Equal(2 / 4.0, report.Served.Hr10);
        Assert.Equal(3 / 4.0, report.Served.Hr20);
        Assert.Equal((1 + (1 / Math.Log2(11))) / 4, report.Served.Ndcg10, 12);
        Assert.Equal((1 + 0.1 + (1 / 11.0)) / 4, report.Served.Mrr20, 12);

        Assert.Equal(1 / 4.0, report.Popularity.Hr10);
        Assert.Equal(2 / 4.0, report.Popularity.Hr20);
        Assert.Equal(1 / Math.Log2(3) / 4, report.Popularity.Ndcg10, 12);
        Assert.Equal((0.05 + 0.5) / 4, report.Popularity.Mrr20, 12);

        Assert.Equal([0, 3], report.ByModel.Select(m => m.Version));
        Assert.Equal(new PrequentialMetrics(2, 0.5, 0.5, 0.5, 0.5), report.ByModel[0].Served);
        Assert.Equal(0.5, report.ByModel[1].Served.Hr10);
        Assert.Equal(1, report.ByModel[1].Served.Hr20);
        Assert.Equal(0.5, report.ByModel[1].Popularity.Hr10);
        Assert.Empty(report.Windows);
    }

    [Fact]
    public void Windows_close_every_n_events_and_carry_their_own_means()
    {
        var evaluator = new PrequentialEvaluator(windowEvents: 2);
        evaluator.Add(0, 1, 0, 10);
        evaluator.Add(0, 1, 1, 20);
        evaluator.Add(5, 0, 1, 30);
        evaluator.Add(5, 0, 1, 40);
        evaluator.Add(5, 1, 1, 50);

        var windows = evaluator.Report().Windows;
        Assert.Equal(2, windows.Count);
        Assert.Equal(
            (2, 20, 0, 1.0, 0.5),
            (windows[0].EventsEnd, windows[0].LastEventMs, windows[0].LastVersion, windows[0].Served.Hr10, windows[0].Popularity.Hr10));
        Assert.Equal(
            (4, 40, 5, 0.0, 1.0),
            (windows[1].EventsEnd, windows[1].LastEventMs, windows[1].LastVersion, windows[1].Served.Hr10, windows[1].Popularity.Hr10));
    }

    [Fact]
    public void A_full_history_merges_neighbours_and_keeps_every_event()
    {
        var evaluator = new PrequentialEvaluator(windowEvents: 1);
        const int events = PrequentialEvaluator.MaxWindows * 3;
        for (var i = 0; i < events; i++)
            evaluator.Add(1, i % 2 == 0 ? 1 : 0, 0, i);

        var windows = evaluator.Report().Windows;
        Assert.InRange(windows.Count, 1, PrequentialEvaluator.MaxWindows - 1);
        Assert.Equal(events, windows.Sum(w => w.Served.N));
        Assert.All(windows, w => Assert.Equal(0.5, w.Served.Hr10));
        Assert.Equal(events, windows[^1].EventsEnd);
    }

    [Fact]
    public void Without_events_everything_is_zero() =>
        Assert.Equal(new PrequentialMetrics(0, 0, 0, 0, 0), new PrequentialEvaluator(10).Report().Served);
}
