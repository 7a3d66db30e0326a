using System.Text.Json;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class RankingMetricsTests
{
    private const double Tolerance = 1e-12;

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, 30)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Equal_the_golden_case(int number)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(RepositoryFiles.Root, "tests", "golden", "metrics", "cases.json")));
        var golden = json.RootElement.GetProperty("cases")[number];
        var items = golden.GetProperty("n_items").GetInt32();
        var users = golden.GetProperty("users").EnumerateArray().ToArray();
        foreach (var at in golden.GetProperty("at_k").EnumerateObject())
        {
            var k = int.Parse(at.Name, System.Globalization.CultureInfo.InvariantCulture);
            var exposure = new int[items];
            for (var u = 0; u < users.Length; u++)
            {
                var (scores, seen, relevant) = (Floats(users[u], "scores"), Ints(users[u], "seen"), Ints(users[u], "relevant"));
                var top = Top(scores, seen, k);
                foreach (var item in top)
                    exposure[item]++;
                Check(at.Value.GetProperty("per_user")[u], RankingMetrics.AtK(top, relevant, k));
            }

            Assert.Equal(Ints(at.Value, "exposure"), exposure);
            Assert.Equal(at.Value.GetProperty("coverage").GetDouble(), RankingMetrics.Coverage(exposure), Tolerance);
            Assert.Equal(at.Value.GetProperty("gini").GetDouble(), RankingMetrics.Gini(exposure), Tolerance);
        }

        for (var u = 0; u < users.Length; u++)
        {
            Assert.Equal(
                golden.GetProperty("ranking_top10")[u].EnumerateArray().Select(i => i.GetInt32()),
                Top(Floats(users[u], "scores"), Ints(users[u], "seen"), 10));
            var auc = golden.GetProperty("auc")[u];
            var actual = RankingMetrics.Auc(Floats(users[u], "scores"), Ints(users[u], "relevant"), Ints(users[u], "seen"));
            Assert.Equal(auc.ValueKind == JsonValueKind.Null ? null : auc.GetDouble(), actual);
        }
    }

    [Fact]
    public void Rank_agrees_with_a_full_sort_under_ties_and_removed_items()
    {
        var random = new Random(5);
        for (var round = 0; round < 200; round++)
        {
            var scores = Enumerable.Range(0, 40).Select(_ => random.Next(5) == 0 ? Channel.Unknown : (float)random.Next(6)).ToArray();
            var counts = Enumerable.Range(0, 35).Select(_ => (float)random.Next(4)).ToArray();
            var removed = Enumerable.Range(0, 40).Where(_ => random.Next(4) == 0).ToArray();
            var order = Enumerable.Range(0, 40).Except(removed)
                .OrderByDescending(i => scores[i]).ThenByDescending(i => i < counts.Length ? counts[i] : 0).ThenBy(i => i).ToArray();
            for (var r = 0; r < order.Length; r++)
                Assert.Equal(r + 1, RankingMetrics.RankOf(scores, order[r], counts, removed));
            var top = new int[10];
            Assert.Equal(10, RankingMetrics.Top(scores, counts, removed, top));
            Assert.Equal(order[..10], top);
        }
    }

    private static int[] Top(float[] scores, int[] seen, int k)
    {
        var top = new int[k];
        return top[..RankingMetrics.Top(scores, [], seen, top)];
    }

    private static void Check(JsonElement expected, ListMetrics? actual)
    {
        if (expected.ValueKind == JsonValueKind.Null)
        {
            Assert.Null(actual);
            return;
        }

        var m = actual!.Value;
        foreach (var (name, value) in ((string, double)[])[("recall", m.Recall), ("recall_capped", m.RecallCapped), ("precision", m.Precision),
            ("hit_rate", m.HitRate), ("ndcg", m.Ndcg), ("mrr", m.Mrr), ("map", m.Map)])
            Assert.Equal(expected.GetProperty(name).GetDouble(), value, Tolerance);
    }

    private static int[] Ints(JsonElement parent, string name) => [.. parent.GetProperty(name).EnumerateArray().Select(v => v.GetInt32())];

    private static float[] Floats(JsonElement parent, string name) => [.. parent.GetProperty(name).EnumerateArray().Select(v => v.GetSingle())];
}
