using System.Text.Json.Serialization;
using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>Shape of the temporal user encoder. Stored in the manifest; the tensors must fit it.</summary>
public sealed record EncoderConfig
{
    /// <summary>Width of item and user vectors.</summary>
    public int Dim { get; init; } = 64;

    /// <summary>Attention heads; must divide <see cref="Dim"/>.</summary>
    public int Heads { get; init; } = 2;

    /// <summary>Transformer blocks, at least 1.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>Newest events the encoder reads.</summary>
    public int MaxHistory { get; init; } = 50;

    /// <summary>Inner width of the feed-forward part.</summary>
    public int Ffn { get; init; } = 256;

    /// <summary>Rows of the event type table; one more than the largest code.</summary>
    public int TypeRows { get; init; } = EventTypes.MaxCode + 1;
    public int ValueRows { get; init; } = Buckets.ValueRows;
    public int TimeRows { get; init; } = Buckets.TimeRows;

    /// <summary>Rows of the user attribute table, one per entry of <see cref="ModelConfig.UserAttributes"/>; 0 = the encoder reads no attributes.</summary>
    // Left out of the JSON where it is 0: the digest of an artifact from before there were attributes stays what it was.
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int AttributeRows { get; init; }

    /// <summary>
    /// The user's own edges to an item add to its score, by how long ago they were; see <see cref="CopyHead"/>. For shops, where people come back for the same
    /// item. Full softmax only. Default false.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Copy { get; init; }

    /// <summary>
    /// Relations of the item graph that reach the scores in one hop from the user's newest edges; see <see cref="NeighbourHead"/>.
    /// 0, the default: no such head; 1: items near each other in people's sequences; 2: also items that came after. Full softmax only.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Hops { get; init; }

    /// <summary>Factor on what the hops add when scores are served; null = 1. Why it is not learned: <see cref="NeighbourHead"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float? HopTrust { get; init; }
}

/// <summary>Item-item cosine: sim = n_ij / (sqrt(n_i n_j) + shrink) over distinct user-item pairs.</summary>
public sealed record ItemKnnConfig
{
    /// <summary>Nearest history items kept per target item.</summary>
    public int Neighbours { get; init; } = 300;

    /// <summary>Added to the denominator; larger distrusts pairs with few users.</summary>
    public float Shrink { get; init; } = 10;

    /// <summary>History weight per event of age: gamma^age.</summary>
    public float Gamma { get; init; } = 0.8f;
}

/// <summary>Items close to each other in people's sequences: sim = Σ decay^(distance − 1) over pairs within the window / (sqrt(n_i n_j) + shrink).</summary>
public sealed record NearbyConfig
{
    /// <summary>Events between two items, at most, the second included.</summary>
    public int Window { get; init; } = 10;

    /// <summary>Weight per event of distance: decay^(distance − 1).</summary>
    public float Decay { get; init; } = 0.9f;

    /// <summary>Nearest history items kept per target item.</summary>
    public int Neighbours { get; init; } = 300;

    /// <summary>Added to the denominator; larger distrusts rare items.</summary>
    public float Shrink { get; init; } = 10;

    /// <summary>History weight per event of age: gamma^age.</summary>
    public float Gamma { get; init; } = 0.8f;
}

/// <summary>EASE^R (Steck, 2019): the item-item matrix with zero diagonal that best rebuilds each user's row, in closed form.</summary>
public sealed record EaseConfig
{
    /// <summary>Ridge strength added to the diagonal of the Gram matrix.</summary>
    public float Lambda { get; init; } = 500;

    /// <summary>History weight per event of age: gamma^age.</summary>
    public float Gamma { get; init; } = 0.8f;

    /// <summary>Catalogues up to this many items keep the whole matrix (items² floats).</summary>
    public int DenseItems { get; init; } = 4096;

    /// <summary>Above <see cref="DenseItems"/>: entries kept per history item, largest magnitude first.</summary>
    public int KeepPerRow { get; init; } = 512;

    /// <summary>Largest catalogue the closed form is computed for: it needs items² floats and items³/2 multiply-adds.</summary>
    public int MaxItems { get; init; } = 20_000;
}

/// <summary>
/// What the scoring code must know beside the tensors. Part of the manifest and of the digest, because another value gives other lists.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>Null when the model has no graph channel.</summary>
    public EncoderConfig? Encoder { get; init; }

    /// <summary>
    /// Channel names in the order of the blend's features; see <see cref="ChannelNames"/>. A channel whose tensors are missing from the
    /// artifact is an error at load.
    /// </summary>
    public IReadOnlyList<string> Channels { get; init; } = [];

    /// <summary>
    /// Encoders of the graph channel, the mean of whose z-scores is its opinion;
    /// null = one. Tensors of the second are under <c>m1.</c>, and so on.
    /// </summary>
    public int? Members { get; init; }

    /// <summary>Entries of the user attribute table in row order, as <see cref="Model.UserAttributes"/> writes them; null = none.</summary>
    public IReadOnlyList<string>? UserAttributes { get; init; }

    public ItemKnnConfig ItemKnn { get; init; } = new();
    public EaseConfig Ease { get; init; } = new();

    /// <summary>Null in models from before there was this channel.</summary>
    public NearbyConfig? Nearby { get; init; }

    /// <summary>History weight per event of age in the channels with a long memory: gamma^age. Null = 0.99.</summary>
    public float? LongGamma { get; init; }

    /// <summary>Decay of the person's own counts per own event.</summary>
    public float PersonalGamma { get; init; } = 1f;

    /// <summary>Decay of the text channel's mean history vector per event of age.</summary>
    public float TextGamma { get; init; } = 0.9f;

    /// <summary>
    /// Evidence of one event per type code (index = code). An event with a weight of 0 or below is no history of itemknn, ease, text and
    /// personal; a negative one also takes back own counts. Default: <see cref="EventTypes.Default"/>.
    /// </summary>
    public IReadOnlyList<float> EventWeights { get; init; } = WeightsOf(EventTypes.Default);

    /// <summary>The text vectors are stored as float16. Left out of the manifest when false, so that artifacts from before it keep their digest.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool HalfText { get; init; }

    /// <summary>Places of a list that are kept for new items; null = none.</summary>
    public NewItemsConfig? NewItems { get; init; }

    /// <summary>Candidates each channel brings to the blend.</summary>
    public int CandidatesPerChannel { get; init; } = 60;

    /// <summary>The trainer's own settings (graph layer, learning rate, seed …), for people who compare models. Never read by scoring code.</summary>
    public IReadOnlyDictionary<string, string> Training { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    public static IReadOnlyList<float> WeightsOf(EventTypes types)
    {
        var weights = new float[EventTypes.MaxCode + 1];
        foreach (var type in types.All)
            weights[type.Code] = type.Weight;
        return weights;
    }
}

/// <summary>Names of the channels, as in the manifest, in reports and on the wire.</summary>
public static class ChannelNames
{
    /// <summary>Graph vectors of the items, temporal attention over the user's newest events.</summary>
    public const string Gnn = "gnn";
    public const string ItemKnn = "itemknn";
    public const string Ease = "ease";

    /// <summary>
    /// The same weights as <see cref="ItemKnn"/> and <see cref="Ease"/> over a
    /// long memory of the person; see <see cref="ModelConfig.LongGamma"/>.
    /// </summary>
    public const string ItemKnnLong = "itemknn-long", EaseLong = "ease-long";

    /// <summary>What people did close to it: in the same sitting or basket, whatever the order.</summary>
    public const string Nearby = "nearby";

    /// <summary>The person's own counts.</summary>
    public const string Personal = "personal";

    /// <summary>Live count of the last 30 days.</summary>
    public const string Popularity = "popularity";

    /// <summary>Live count of the last day.</summary>
    public const string Trending = "trending";

    /// <summary>What the scorer found on the live graph and passed in <see cref="RankContext.Walks"/>.</summary>
    public const string Walk = "walk";
    public const string Text = "text";

    /// <summary>No channel: on the wire, of an entry in a place that is kept for new items; see <see cref="NewItemsConfig"/>.</summary>
    public const string New = "new";

    /// <summary>First-order transitions from the newest history item.</summary>
    public const string Markov = "markov";

    /// <summary>Every channel there is.</summary>
    public static IReadOnlyList<string> All { get; } =
        [Gnn, ItemKnn, ItemKnnLong, Ease, EaseLong, Nearby, Personal, Popularity, Trending, Walk, Text, Markov];
}

/// <summary>Names of the tensors in model.safetensors; float32, linear weights [out, in].</summary>
public static class TensorNames
{
    /// <summary>[items, d], after the graph layers.</summary>
    public const string ItemVectors = "item.vectors";

    /// <summary>[items]; optional, 0 when absent.</summary>
    public const string ItemBias = "item.bias";

    /// <summary>[items, dt]; a row of zeros = no text.</summary>
    public const string ItemText = "item.text";

    /// <summary>[items] events per item in the fit part; breaks ties and stands in where nothing else is known. Required.</summary>
    public const string ItemCount = "item.count";

    /// <summary>Optional, each [items]: <see cref="ItemFacts"/>.</summary>
    public const string ItemFirst = "item.first_day", ItemInterval = "item.interval_days", ItemRepeats = "item.repeat_share";

    /// <summary>[max_history, d], row 0 = oldest event shown.</summary>
    public const string UserPos = "user.pos";
    public const string UserType = "user.type";
    public const string UserValue = "user.value";
    public const string UserGap = "user.gap";
    public const string UserAsk = "user.ask";

    /// <summary>[attribute_rows, d]; only with <see cref="EncoderConfig.AttributeRows"/> above 0.</summary>
    public const string UserAttribute = "user.attribute";

    /// <summary>[time_rows], [1, d] and [1]; only with <see cref="EncoderConfig.Copy"/>.</summary>
    public const string CopyTime = "user.copy.time", CopyGate = "user.copy.gate.weight", CopyBias = "user.copy.gate.bias";

    /// <summary>[hops, time_rows], [hops, max_history], [hops, value_rows], [hops, d] and [hops]; only with <see cref="EncoderConfig.Hops"/> above 0.</summary>
    public const string HopTime = "user.hop.time", HopLag = "user.hop.lag", HopValue = "user.hop.value",
        HopGate = "user.hop.gate.weight", HopBias = "user.hop.gate.bias";

    /// <summary>In front of the tensor names of the graph channel's member k; nothing for the first.</summary>
    public static string MemberPrefix(int member) => member == 0 ? "" : $"m{member}.";

    /// <summary>Sparse rows of the three item-item channels, by history item: entries per row [items], then [entries] each.</summary>
    public const string KnnCount = "knn.count", KnnIndex = "knn.index", KnnValue = "knn.value";

    /// <summary>[items, items] row = history item; in place of the sparse form for small catalogues.</summary>
    public const string EaseDense = "ease.dense";
    public const string EaseCount = "ease.count", EaseIndex = "ease.index", EaseValue = "ease.value";
    public const string NearbyCount = "nearby.count", NearbyIndex = "nearby.index", NearbyValue = "nearby.value";
    public const string AfterCount = "after.count", AfterIndex = "after.index", AfterValue = "after.value";
    public const string MarkovCount = "markov.count", MarkovIndex = "markov.index", MarkovValue = "markov.value";

    /// <summary>[features].</summary>
    public const string BlendLinear = "blend.linear";

    /// <summary>[features, hidden] and [hidden], [hidden].</summary>
    public const string BlendHidden = "blend.hidden.weight", BlendHiddenBias = "blend.hidden.bias", BlendOut = "blend.out";
}
