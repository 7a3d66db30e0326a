using StreamRec.Contracts;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

using Tensors = Dictionary<string, (long[] Shape, float[] Data)>;

public sealed class UserEncoderTests
{
    [Theory]
    [InlineData(16, 2, 2, 32)]
    [InlineData(64, 2, 2, 256)]
    [InlineData(20, 4, 1, 44)] // widths that are no multiple of a vector
    [InlineData(24, 1, 3, 48)]
    public void Equals_a_naive_double_precision_forward(int dim, int heads, int blocks, int ffn)
    {
        const int items = 30;
        var config = new EncoderConfig { Dim = dim, Heads = heads, Blocks = blocks, Ffn = ffn, MaxHistory = 12 };
        var random = new Random(dim);
        var tensors = new Tensors();
        TestModels.AddEncoder(tensors, config, items, random);
        var artifact = TestModels.Artifact(new ModelConfig { Encoder = config }, items, tensors);
        var encoder = new UserEncoder(artifact);
        var naive = new NaiveEncoder(artifact);
        var workspace = new EncoderWorkspace();
        var user = new float[dim];
        foreach (var length in (int[])[1, 2, 3, 4, 5, 9, 12, 13, 40])
        {
            var history = TestModels.History(random, length, items + 3); // three items the model does not know
            var now = history[^1].TimeMs + random.Next(100_000);
            var expected = naive.Encode(history, now);
            Assert.Equal(expected is not null, encoder.Encode(history, now, workspace, user));
            for (var j = 0; j < dim && expected is not null; j++)
                Assert.Equal(expected[j], user[j], 5e-5 * Math.Max(1, Math.Abs(expected[j])));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Equals_the_golden_causal_block_at_every_position(int row)
    {
        using var golden = SafeTensors.Open(Path.Combine(RepositoryFiles.Root, "tests", "golden", "attention", "causal_block.safetensors"));
        const int dim = 32, length = 9;
        var encoder = new UserEncoder(GoldenArtifact(golden));
        long[] items = golden.ReadInt64("in.item_ids"), times = golden.ReadInt64("in.times");
        var mask = golden.ReadFloat64("in.mask");
        var expected = golden.ReadFloat64("out.y");
        var real = Enumerable.Range(row * length, length).Where(p => mask[p] != 0).ToArray();
        var history = real.Select(p => new UserEvent((int)items[p], 0, float.NaN, times[p] * 1000)).ToArray();
        var user = new float[dim];
        for (var t = 0; t < history.Length; t++)
        {
            Assert.True(encoder.Encode(history.AsSpan(0, t + 1), history[t].TimeMs, new EncoderWorkspace(), user));
            for (var j = 0; j < dim; j++)
                Assert.Equal(expected[(real[t] * dim) + j], user[j], 2e-5);
        }
    }

    [Fact]
    public void Attention_of_the_newest_event_sums_to_one_and_points_into_the_history()
    {
        var artifact = TestModels.Full(30, 1);
        var workspace = new EncoderWorkspace();
        var history = TestModels.History(new Random(3), 70, 35);
        Assert.True(new UserEncoder(artifact).Encode(history, history[^1].TimeMs, workspace, new float[16]));
        Assert.Equal(1, workspace.Attention[..workspace.Count].Sum(), 1e-4);
        Assert.All(workspace.Source[..workspace.Count], s => Assert.InRange(history[s].Item, 0, 29));
        Assert.True(workspace.Source[..workspace.Count].Order().SequenceEqual(workspace.Source[..workspace.Count]));
    }

    [Fact]
    public void A_history_without_known_items_has_no_vector()
    {
        var encoder = new UserEncoder(TestModels.Full(30, 1));
        Assert.False(encoder.Encode([], 5, new EncoderWorkspace(), new float[16]));
        Assert.False(encoder.Encode([new UserEvent(30, 1, 1, 1), new UserEvent(-1, 1, 1, 2)], 5, new EncoderWorkspace(), new float[16]));
    }

    [Fact]
    public void Encoding_allocates_nothing_after_the_first_call()
    {
        var encoder = new UserEncoder(TestModels.Full(30, 1));
        var workspace = new EncoderWorkspace();
        var history = TestModels.History(new Random(3), 50, 30);
        var user = new float[16];
        encoder.Encode(history, history[^1].TimeMs, workspace, user);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            encoder.Encode(history, history[^1].TimeMs, workspace, user);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_tensor_of_the_wrong_shape_is_named()
    {
        var artifact = TestModels.Full(30, 1);
        var tensors = new Tensors(artifact.Tensors) { ["user.blocks.1.attn.k.weight"] = ([8, 16], new float[128]) };
        var error = Assert.Throws<InvalidDataException>(() => new UserEncoder(new ModelArtifact(artifact.Manifest, artifact.Items, tensors)));
        Assert.Contains("user.blocks.1.attn.k.weight", error.Message, StringComparison.Ordinal);
        Assert.Contains("[8, 16]", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The golden model in our file layout: our time rows start one later (0 = none) and go on where the golden table is clipped.</summary>
    private static ModelArtifact GoldenArtifact(SafeTensors golden)
    {
        const int d = 32;
        var config = new EncoderConfig { Dim = d, Heads = 2, Blocks = 2, Ffn = 128, MaxHistory = 16 };
        var tensors = new Tensors
        {
            [TensorNames.ItemVectors] = ([21, d], golden.ReadFloat32("param.item_emb.weight")),
            [TensorNames.UserPos] = ([16, d], golden.ReadFloat32("param.pos_emb.weight")),
            [TensorNames.UserType] = ([config.TypeRows, d], new float[config.TypeRows * d]),
            [TensorNames.UserValue] = ([config.ValueRows, d], new float[config.ValueRows * d]),
            [TensorNames.UserAsk] = ([config.TimeRows, d], new float[config.TimeRows * d]),
            ["user.ln.weight"] = ([d], golden.ReadFloat32("param.final_ln.weight")),
            ["user.ln.bias"] = ([d], golden.ReadFloat32("param.final_ln.bias")),
        };
        var gap = golden.ReadFloat32("param.gap_emb.weight");
        tensors[TensorNames.UserGap] = ([32, d], [.. Enumerable.Range(0, 32).SelectMany(r => gap.Skip(Math.Clamp(r - 1, 0, 15) * d).Take(d))]);
        foreach (var name in golden.Tensors.Keys.Where(n => n.StartsWith("param.blocks.", StringComparison.Ordinal)))
        {
            var ours = name
                .Replace("param.", "user.", StringComparison.Ordinal)
                .Replace("fc1", "ffn.0", StringComparison.Ordinal)
                .Replace("fc2", "ffn.1", StringComparison.Ordinal);
            tensors[ours] = (golden.Tensors[name].Shape, golden.ReadFloat32(name));
        }

        return TestModels.Artifact(new ModelConfig { Encoder = config }, 21, tensors);
    }
}
