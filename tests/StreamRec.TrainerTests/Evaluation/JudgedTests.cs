using StreamRec.Trainer.Evaluation;

namespace StreamRec.TrainerTests.Evaluation;

public sealed class JudgedTests
{
    private static readonly StreamRec.Trainer.Data.EventLog Log = new(
        3, 4, [0, 1, 2, 0, 1, 2, 0, 0], [0, 1, 2, 3, 1, 0, 2, 3], [2, 2, 2, 2, 2, 2, 2, 2], new float[8], [1, 2, 3, 4, 5, 6, 7, 8]);

    [Fact]
    public void Ranks_become_means_slices_and_a_raw_number_per_event()
    {
        var judged = Judged.OfRanks("x", 1, Log, [4, 5, 7], [1, 11, 3], 4, 8);
        Assert.Equal((1 + 0 + 0.5) / 3, judged.Metrics["ndcg_10"], 1e-12);
        Assert.Equal(2.0 / 3, judged.Metrics["hr_10"], 1e-12);
        Assert.Equal(1, judged.Metrics["hr_20"], 1e-12);
        Assert.Equal((1 + (1.0 / 11) + (1.0 / 3)) / 3, judged.Metrics["mrr_20"], 1e-12);
        Assert.Equal(3, judged.Metrics["cold_n"]); // no item has five events
        Assert.Equal(0, judged.Metrics["new_users_n"]);
        Assert.Equal(new ushort[] { 1, 11, 0, 3 }, (ushort[])judged.Raw["ranks"]);
    }

    [Fact]
    public void A_paired_difference_is_clustered_by_user_and_over_the_events_both_judged()
    {
        var judged = Judged.OfRanks("x", 0, Log, [4, 5, 6, 7], [1, 2, 1, 20], 4, 8);
        var other = new Dictionary<string, Array> { ["p2:exclude/ranks"] = new ushort[] { 1, 1, 0, 3 } };
        var difference = PairedDifference.Against(judged, "p2:exclude", other)!;
        double[] d = [0, (1 / Math.Log2(3)) - 1, -0.5];
        Assert.Equal(3, difference.Questions);
        Assert.Equal(d.Average(), difference.Mean, 1e-12);
        Assert.Equal(Math.Sqrt(d.Sum(x => Math.Pow(x - d.Average(), 2))) / 3, difference.StandardError, 1e-12); // three users, one event each
        Assert.Null(PairedDifference.Against(judged, "p2strict:exclude", other));
    }

    [Fact]
    public void The_mean_of_seeds_is_taken_question_by_question()
    {
        var mean = Judged.Mean([Judged.OfRanks("x", 0, Log, [4, 5], [1, 20], 4, 8), Judged.OfRanks("x", 1, Log, [4, 5], [3, 1], 4, 8)]);
        Assert.True(mean.IsMean);
        Assert.Equal([0.75, 0.5], mean.Ndcg10);
        Assert.Equal((0.5 + 0.75) / 2, mean.Metrics["ndcg_10"], 1e-12);
    }

    [Fact]
    public void Two_halves_of_the_questions_joined_are_what_the_whole_is()
    {
        TemporalQuestion[] questions = [new(0, [1]), new(1, [0, 3]), new(2, [2])];
        int[][] lists = [[0, 1], [1, 0], [2, 0]];
        int[] counts = [9, 9, 1, 2]; // two cold items, both asked for in the second half
        var whole = Judged.OfLists("x", 1, questions, lists, counts);
        var joined = Judged.Joined(
            Judged.OfLists("x", 1, questions[..1], lists[..1], counts),
            Judged.OfLists("x", 1, questions[1..], lists[1..], counts),
            counts.Length);
        Assert.Equal(0.75, whole.Metrics["coverage_20"]); // 0 and 1 are shown in both halves, 2 in one, 3 in none
        Assert.Equal(whole.Metrics.Keys.Order(), joined.Metrics.Keys.Order());
        Assert.All(whole.Metrics, m => Assert.Equal(m.Value, joined.Metrics[m.Key], 1e-12));
        Assert.Equal(whole.Users, joined.Users);
        Assert.Equal(whole.Ndcg10, joined.Ndcg10);
    }
}
