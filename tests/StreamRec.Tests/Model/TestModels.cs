using StreamRec.Contracts;
using StreamRec.Model;

namespace StreamRec.Tests.Model;

using Tensors = Dictionary<string, (long[] Shape, float[] Data)>;

/// <summary>Small artifacts with random weights, for tests of what the weights are put to.</summary>
internal static class TestModels
{
    public static readonly string[] AllChannels =
    [
        ChannelNames.Gnn, ChannelNames.Ease, ChannelNames.ItemKnn, ChannelNames.Markov, ChannelNames.Text, ChannelNames.Popularity,
        ChannelNames.Trending, ChannelNames.Personal, ChannelNames.Walk,
    ];

    /// <summary>Every event counts as one, whatever its type.</summary>
    public static IReadOnlyList<float> FlatWeights { get; } = [.. Enumerable.Repeat(1f, 32)];

    public static ModelArtifact Artifact(ModelConfig config, int items, Tensors tensors, long version = 1) =>
        new(Manifest(config, version), [.. Enumerable.Range(0, items).Select(i => $"i{i}")], tensors);

    public static ModelManifest Manifest(ModelConfig config, long version = 1) => new()
    {
        Name = "test",
        Version = version,
        CreatedAt = DateTimeOffset.UnixEpoch,
        Config = config,
        Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1), 10, new Dictionary<string, long> { ["0"] = 10 }),
        Metrics = new Dictionary<string, double> { ["ndcg_10"] = 0.1 },
    };

    /// <summary>A model with every channel, fitted on random sequences in which item 2n+1 likes to follow item 2n.</summary>
    public static ModelArtifact Full(int items, int seed, EncoderConfig? encoder = null, int events = 4000)
    {
        var config = new ModelConfig
        {
            Encoder = encoder ?? new EncoderConfig { Dim = 16, Ffn = 32 },
            Channels = AllChannels,
            EventWeights = FlatWeights,
            ItemKnn = new ItemKnnConfig { Neighbours = 20, Shrink = 1 },
            Ease = new EaseConfig { Lambda = 10 },
        };
        var tensors = new Tensors();
        ChannelFit.Fit(config, Events(items, events, seed), tensors, 2, CancellationToken.None);
        AddEncoder(tensors, config.Encoder!, items, new Random(seed));
        tensors[TensorNames.ItemText] = ([items, 8], Gaussian(new Random(seed + 1), items * 8, 1));
        return Artifact(config, items, tensors);
    }

    public static FitEvents Events(int items, int count, int seed)
    {
        var random = new Random(seed);
        var (user, item) = (new int[count], new int[count]);
        var last = new int[40];
        for (var e = 0; e < count; e++)
        {
            user[e] = random.Next(last.Length);
            item[e] = last[user[e]] % 2 == 0 && random.NextDouble() < 0.5 ? Math.Min(items - 1, last[user[e]] + 1) : random.Next(items);
            last[user[e]] = item[e];
        }

        return new FitEvents(user, item, new byte[count], last.Length, items);
    }

    public static void AddEncoder(Tensors tensors, EncoderConfig c, int items, Random random)
    {
        void Add(string name, float scale, params long[] shape) => tensors[name] = (shape, Gaussian(random, (int)shape.Aggregate(1L, (a, b) => a * b), scale));
        Add(TensorNames.ItemVectors, 0.3f, items, c.Dim);
        Add(TensorNames.ItemBias, 0.1f, items);
        Add(TensorNames.UserPos, 0.3f, c.MaxHistory, c.Dim);
        Add(TensorNames.UserType, 0.3f, c.TypeRows, c.Dim);
        Add(TensorNames.UserValue, 0.3f, c.ValueRows, c.Dim);
        Add(TensorNames.UserGap, 0.3f, c.TimeRows, c.Dim);
        Add(TensorNames.UserAsk, 0.3f, c.TimeRows, c.Dim);
        if (c.AttributeRows > 0)
            Add(TensorNames.UserAttribute, 1, c.AttributeRows, c.Dim);
        if (c.Hops > 0)
        {
            Add(TensorNames.HopTime, 1, c.Hops, c.TimeRows);
            Add(TensorNames.HopLag, 0.5f, c.Hops, c.MaxHistory);
            Add(TensorNames.HopValue, 0.5f, c.Hops, c.ValueRows);
            Add(TensorNames.HopGate, 0.3f, c.Hops, c.Dim);
            Add(TensorNames.HopBias, 0.5f, c.Hops);
        }

        for (var b = 0; b < c.Blocks; b++)
        {
            foreach (var part in (string[])["ln1", "ln2"])
            {
                Add($"user.blocks.{b}.{part}.weight", 1, c.Dim);
                Add($"user.blocks.{b}.{part}.bias", 0.2f, c.Dim);
            }

            foreach (var part in (string[])["q", "k", "v", "o"])
            {
                Add($"user.blocks.{b}.attn.{part}.weight", 0.4f, c.Dim, c.Dim);
                Add($"user.blocks.{b}.attn.{part}.bias", 0.2f, c.Dim);
            }

            Add($"user.blocks.{b}.ffn.0.weight", 0.4f, c.Ffn, c.Dim);
            Add($"user.blocks.{b}.ffn.0.bias", 0.2f, c.Ffn);
            Add($"user.blocks.{b}.ffn.1.weight", 0.3f, c.Dim, c.Ffn);
            Add($"user.blocks.{b}.ffn.1.bias", 0.2f, c.Dim);
        }

        Add("user.ln.weight", 1, c.Dim);
        Add("user.ln.bias", 0.2f, c.Dim);
    }

    public static UserEvent[] History(Random random, int length, int items, long startMs = 1_700_000_000_000)
    {
        var events = new UserEvent[length];
        for (var i = 0; i < length; i++)
        {
            startMs += (long)Math.Exp(random.NextDouble() * 20);
            events[i] = new UserEvent(random.Next(items), (byte)random.Next(1, 9), random.Next(3) == 0 ? float.NaN : random.Next(0, 6), startMs);
        }

        return events;
    }

    public static float[] Gaussian(Random random, int count, float scale)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = scale * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }
}
