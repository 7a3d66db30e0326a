using FsCheck;
using FsCheck.Fluent;
using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

using Tensors = Dictionary<string, (long[] Shape, float[] Data)>;

public sealed class NeighbourHeadTests
{
    private const int Items = 30;
    private static readonly EncoderConfig Two = new() { Dim = 16, Ffn = 32, MaxHistory = 12, Hops = 2, HopTrust = 1.5f };

    [Fact]
    public void Adds_for_each_relation_a_gated_log_of_the_neighbours_evidence()
    {
        var artifact = TestModels.Full(Items, 5, Two);
        var random = new Random(8);
        foreach (var length in (int[])[1, 3, 12, 40])
        {
            var history = TestModels.History(random, length, Items + 2);
            var now = history[^1].TimeMs + 5_000;
            var (scores, user) = Added(artifact, history, now);
            var kept = history.Where(e => e.Item < Items).TakeLast(12).ToArray();
            for (var i = 0; i < Items; i++)
                Assert.Equal(Naive(artifact, kept, now, user, i), scores[i], 1e-4);
        }
    }

    [Fact]
    public void A_return_is_no_evidence()
    {
        var weights = TestModels.FlatWeights.ToArray();
        weights[7] = -1;
        var full = TestModels.Full(Items, 5, Two);
        var artifact = new ModelArtifact(full.Manifest with { Config = full.Manifest.Config with { EventWeights = weights } }, full.Items, full.Tensors);
        var bought = new UserEvent(3, 1, 1, 1_000_000);
        var user = new float[16];
        var (_, encoder) = Encode(artifact, [bought, new UserEvent(9, 7, 1, 2_000_000)], 3_000_000, user);
        var scores = new float[Items];
        new NeighbourHead(artifact, "").Add([bought, new UserEvent(9, 7, 1, 2_000_000)], 3_000_000, encoder, user, new float[Items], scores);
        var kept = new UserEvent[] { bought };
        for (var i = 0; i < Items; i++)
            Assert.Equal(Naive(artifact, kept, 3_000_000, user, i, newer: 1), scores[i], 1e-4);
    }

    [Fact]
    public void With_every_item_its_own_only_neighbour_it_is_the_copy_head()
    {
        var copying = Two with { Hops = 1, HopTrust = null, Copy = true };
        var tensors = new Tensors(TestModels.Full(Items, 5, copying).Tensors);
        var ones = Enumerable.Repeat(1f, Items).ToArray();
        tensors[TensorNames.NearbyCount] = ([Items], ones);
        tensors[TensorNames.NearbyIndex] = ([Items], [.. Enumerable.Range(0, Items).Select(i => (float)i)]);
        tensors[TensorNames.NearbyValue] = ([Items], ones);
        tensors[TensorNames.HopLag] = ([1, 12], new float[12]);
        tensors[TensorNames.HopValue] = ([1, copying.ValueRows], new float[copying.ValueRows]);
        tensors[TensorNames.CopyTime] = ([copying.TimeRows], tensors[TensorNames.HopTime].Data);
        tensors[TensorNames.CopyGate] = ([1, 16], tensors[TensorNames.HopGate].Data);
        tensors[TensorNames.CopyBias] = ([1], tensors[TensorNames.HopBias].Data);
        var artifact = TestModels.Artifact(new ModelConfig { Encoder = copying, EventWeights = TestModels.FlatWeights }, Items, tensors);
        var copy = new CopyHead(artifact, "");
        Check.One(Properties.Quick, Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            var history = TestModels.History(random, random.Next(1, 13), random.Next(1, Items + 1));
            var now = history[^1].TimeMs + random.Next(1_000_000);
            var (hopped, user) = Added(artifact, history, now);
            var copied = new float[Items];
            copy.Add(history, now, user, new float[Items], copied);
            return hopped.Zip(copied).All(s => Math.Abs(s.First - s.Second) <= 1e-4 * Math.Max(1, Math.Abs(s.Second)));
        }));
    }

    [Fact]
    public void The_graph_channel_adds_it_allocates_nothing_for_it_and_names_the_neighbour_as_the_reason()
    {
        var artifact = TestModels.Full(Items, 5, Two);
        var (with, without) = (new GnnChannel(artifact), new GnnChannel(WithoutHead(artifact)));
        var history = TestModels.History(new Random(4), 10, Items);
        var now = history[^1].TimeMs + 60_000;
        var (expected, user) = Added(artifact, history, now);
        var context = new RankContext { History = history, NowMs = now, Counters = new LiveCounters(Items) };
        var (workspace, scores, plain) = (new RankWorkspace(), new float[Items], new float[Items]);
        Assert.True(without.Score(context, workspace, plain));
        Assert.True(with.Score(context, workspace, scores));
        for (var i = 0; i < Items; i++)
            Assert.Equal(plain[i] + expected[i], scores[i], 1e-4);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var k = 0; k < 20; k++)
            with.Score(context, workspace, scores);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        var head = new NeighbourHead(artifact, "");
        for (var i = 0; i < Items; i++)
        {
            var shares = history.Select(e => e.Item).Distinct().Select(source => head.Share(history, now, workspace.Encoder, user, i, source)).ToArray();
            Assert.True(Math.Abs(shares.Sum() - 1) < 1e-4 || shares.All(s => s == 0), $"item {i}: {shares.Sum()}");
        }

        var reasons = new int[3];
        var count = with.Evidence(context, workspace, 7, reasons);
        Assert.All(reasons[..count], r => Assert.Contains(history, e => e.Item == r));
        Assert.True(count > 0);
    }

    [Fact]
    public void A_model_with_the_head_and_without_its_edges_is_refused()
    {
        var full = TestModels.Full(Items, 5, Two);
        var tensors = full.Tensors.Where(t => t.Key != TensorNames.AfterCount).ToDictionary();
        var error = Assert.Throws<InvalidDataException>(() => new GnnChannel(new ModelArtifact(full.Manifest, full.Items, tensors)));
        Assert.Contains("relation 1", error.Message, StringComparison.Ordinal);
    }

    private static ModelArtifact WithoutHead(ModelArtifact artifact) => new(
        artifact.Manifest with { Config = artifact.Manifest.Config with { Encoder = artifact.Manifest.Config.Encoder! with { Hops = 0 } } },
        artifact.Items, artifact.Tensors);

    private static (float[] Scores, float[] User) Added(ModelArtifact artifact, UserEvent[] history, long now)
    {
        var user = new float[16];
        var (any, encoder) = Encode(artifact, history, now, user);
        var scores = new float[Items];
        if (any)
            new NeighbourHead(artifact, "").Add(history, now, encoder, user, Enumerable.Repeat(9f, Items).ToArray(), scores);
        return (scores, user);
    }

    private static (bool Any, EncoderWorkspace Encoder) Encode(ModelArtifact artifact, UserEvent[] history, long now, float[] user)
    {
        var encoder = new EncoderWorkspace();
        return (new UserEncoder(artifact).Encode(history, now, encoder, user), encoder);
    }

    /// <summary>The definition, one item at a time, in double precision. <paramref name="newer"/>: events after the last of those given.</summary>
    private static double Naive(ModelArtifact artifact, UserEvent[] kept, long now, float[] user, int item, int newer = 0)
    {
        float At(string name, int row, int column) => artifact.Tensors[name].Data[(row * artifact.Tensors[name].Shape[^1]) + column];
        var sum = 0.0;
        for (var r = 0; r < 2; r++)
        {
            var edges = r == 0
                ? SparseRows.Read(artifact, TensorNames.NearbyCount, TensorNames.NearbyIndex, TensorNames.NearbyValue)!
                : SparseRows.Read(artifact, TensorNames.AfterCount, TensorNames.AfterIndex, TensorNames.AfterValue)!;
            var evidence = 0.0;
            for (var q = 0; q < kept.Length; q++)
            {
                var e = kept[q];
                evidence += Math.Exp((double)At(TensorNames.HopTime, r, Buckets.Time(now - e.TimeMs)) + At(TensorNames.HopLag, r, kept.Length + newer - 1 - q)
                    + At(TensorNames.HopValue, r, Buckets.Value(e.Value))) * edges.At(e.Item, item);
            }

            var gate = (double)artifact.Tensors[TensorNames.HopBias].Data[r];
            for (var j = 0; j < user.Length; j++)
                gate += (double)user[j] * At(TensorNames.HopGate, r, j);
            sum += 1.5 * gate * Math.Log(1 + evidence);
        }

        return sum;
    }
}
