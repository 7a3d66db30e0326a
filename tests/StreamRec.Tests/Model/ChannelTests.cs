using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class ChannelTests
{
    private const int Items = 50;
    private const long Now = 1_800_000_000_000;
    private static readonly ModelArtifact Artifact = TestModels.Full(Items, 9);
    private static readonly RankingModel Model = RankingModel.From(Artifact);
    private static readonly UserEvent[] History = [Event(3, 5000), Event(8, 4000), Event(3, 3000), Event(20, 1000)];

    [Theory]
    [InlineData(64, 37)]
    [InlineData(16, 8)]
    [InlineData(13, 9)]
    public void A_vector_scan_is_the_inner_product_with_every_row(int d, int rows)
    {
        var random = new Random(d);
        float[] query = TestModels.Gaussian(random, d, 1), table = TestModels.Gaussian(random, d * rows, 1), bias = TestModels.Gaussian(random, rows, 1);
        var scores = new float[rows];
        VectorScan.Score(query, table, bias, scores);
        for (var i = 0; i < rows; i++)
            Assert.Equal(bias[i] + Enumerable.Range(0, d).Sum(j => (double)query[j] * table[(i * d) + j]), scores[i], 1e-4);
        Assert.Throws<ArgumentException>(() => VectorScan.Score(query, table.AsSpan(1), bias, scores));
    }

    [Fact]
    public void Gnn_is_user_times_item_plus_bias_and_does_not_know_items_born_later()
    {
        var scores = Scores(ChannelNames.Gnn, Items + 2);
        var user = new NaiveEncoder(Artifact).Encode(History, Now)!;
        var (vectors, bias) = (Artifact.Tensors[TensorNames.ItemVectors].Data, Artifact.Tensors[TensorNames.ItemBias].Data);
        for (var i = 0; i < Items; i++)
            Assert.Equal(bias[i] + Enumerable.Range(0, 16).Sum(j => user[j] * vectors[(i * 16) + j]), scores[i], 1e-3);
        Assert.Equal([Channel.Unknown, Channel.Unknown], scores[Items..]);
    }

    [Fact]
    public void Gnn_of_two_members_is_the_mean_of_their_z_scores_and_an_item_without_vector_is_unknown()
    {
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(Artifact.Tensors);
        var other = TestModels.Full(Items, 17);
        foreach (var (name, tensor) in other.Tensors)
            tensors["m1." + name] = tensor;
        foreach (var name in (string[])["item.vectors", "m1.item.vectors"])
        {
            tensors[name] = (tensors[name].Shape, [.. tensors[name].Data]);
            tensors[name].Data.AsSpan(7 * 16, 16).Clear();
        }

        var config = Artifact.Manifest.Config with { Members = 2 };
        var both = RankingModel.From(new ModelArtifact(Artifact.Manifest with { Config = config }, Artifact.Items, tensors));
        var scores = Scores(both, ChannelNames.Gnn, Items);
        double[] first = Standardised(Scores(Model, ChannelNames.Gnn, Items)), second = Standardised(Scores(RankingModel.From(other), ChannelNames.Gnn, Items));
        for (var i = 0; i < Items; i++)
        {
            if (i == 7)
                Assert.Equal(Channel.Unknown, scores[i]);
            else
                Assert.Equal((first[i] + second[i]) / 2, scores[i], 1e-3);
        }

        static double[] Standardised(float[] scores)
        {
            var known = scores.Where((_, i) => i != 7).Select(s => (double)s).ToArray();
            var (mean, deviation) = (known.Average(), Math.Sqrt(known.Average(s => s * s) - Math.Pow(known.Average(), 2)));
            return [.. scores.Select(s => (s - mean) / deviation)];
        }
    }

    [Fact]
    public void Text_is_the_cosine_to_the_decayed_mean_of_the_history_without_the_catalogues_mean()
    {
        var raw = Artifact.Tensors[TensorNames.ItemText].Data;
        var mean = Enumerable.Range(0, 8).Select(j => Enumerable.Range(0, Items).Average(i => (double)raw[(i * 8) + j])).ToArray();
        var centred = Enumerable.Range(0, Items).Select(i => Unit([.. Enumerable.Range(0, 8).Select(j => raw[(i * 8) + j] - mean[j])])).ToArray();
        var user = Unit([.. Enumerable.Range(0, 8).Select(j => centred[20][j] + (0.9 * centred[3][j]) + (0.81 * centred[8][j]))]);
        var scores = Scores(ChannelNames.Text, Items);
        for (var i = 0; i < Items; i++)
            Assert.Equal(centred[i].Zip(user, (a, b) => a * b).Sum(), scores[i], 1e-5);
    }

    [Fact]
    public void Markov_counts_what_followed_the_newest_item()
    {
        var events = TestModels.Events(Items, 4000, 9);
        var expected = new float[Items];
        var last = new Dictionary<int, int>();
        foreach (var (user, item) in events.User.Zip(events.Item))
        {
            if (last.GetValueOrDefault(user, -1) == 20)
                expected[item]++;
            last[user] = item;
        }

        Assert.Equal(expected, Scores(ChannelNames.Markov, Items));
    }

    [Fact]
    public void Item_text_that_is_missing_or_a_user_without_any_leaves_the_text_channel_silent()
    {
        var text = Artifact.Tensors[TensorNames.ItemText].Data.ToArray();
        Array.Clear(text, 3 * 8, 8);
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(Artifact.Tensors) { [TensorNames.ItemText] = ([Items, 8], text) };
        var model = RankingModel.From(new ModelArtifact(Artifact.Manifest, Artifact.Items, tensors));
        var scores = new float[Items];
        UserEvent[] history = [Event(3, 5)];
        Assert.False(model.ScoreChannel(ChannelNames.Text, Context(history, Items), new RankWorkspace(), scores));
        Assert.True(model.ScoreChannel(ChannelNames.Text, Context(History, Items), new RankWorkspace(), scores));
        Assert.Equal(Channel.Unknown, scores[3]);
    }

    private static float[] Scores(string channel, int items) => Scores(Model, channel, items);

    private static float[] Scores(RankingModel model, string channel, int items)
    {
        var scores = new float[items];
        Assert.True(model.ScoreChannel(channel, Context(History, items), new RankWorkspace(), scores));
        return scores;
    }

    private static double[] Unit(double[] x) => [.. x.Select(v => v / Math.Sqrt(x.Sum(w => w * w)))];

    private static UserEvent Event(int item, long agoMs) => new(item, 1, float.NaN, Now - agoMs);

    private static RankContext Context(UserEvent[] history, int items) =>
        new() { NowMs = Now, Counters = new LiveCounters(), History = history, ItemCount = items };
}
