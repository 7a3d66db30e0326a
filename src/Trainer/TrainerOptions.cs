using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Layers;
using StreamRec.Trainer.Training;

namespace StreamRec.Trainer;

/// <summary>Settings of the trainer role.</summary>
public sealed record TrainerOptions
{
    /// <summary>Where artifacts are written, one directory per version. Default <c>models</c>.</summary>
    public string ModelsDirectory { get; init; } = "models";

    /// <summary>Name in the manifest and on models.v1.</summary>
    public string ModelName { get; init; } = "streamrec";

    /// <summary>Fewer interactions than this are refused: nothing learned from them would beat popularity. Default 200.</summary>
    public int MinInteractions { get; init; } = 200;

    /// <summary>Newest share of the events that judges candidate and champion. Default 0.1.</summary>
    public double HoldoutShare { get; init; } = 0.1;

    /// <summary>Share before the holdout that early stopping and the blend learn from. Default 0.1.</summary>
    public double ValidShare { get; init; } = 0.1;

    /// <summary>Events judged on the holdout, evenly spread over it. Default 5,000.</summary>
    public int HoldoutEvents { get; init; } = 5_000;

    /// <summary>Events the blend learns from, evenly spread over the validation part. Default 4,000.</summary>
    public int BlendEvents { get; init; } = 4_000;

    /// <summary>Events each validation during training judges. Default 1,000.</summary>
    public int ValidationEvents { get; init; } = 1_000;

    /// <summary>
    /// The largest NDCG@10 a candidate may lose to the champion on the holdout and still be promoted: noise of a few thousand events. Default 0.002.
    /// </summary>
    public double GateTolerance { get; init; } = 0.002;

    /// <summary>Share of repeats among positive events from which repeats are recommended. Default 0.1.</summary>
    public double RepeatShare { get; init; } = 0.1;

    /// <summary>
    /// Seconds the gradient descent of a full run may take, all its stages together; reading, channels, blend and evaluation come on top. Default 3,600.
    /// </summary>
    public double MaxTrainSeconds { get; init; } = 3_600;

    /// <summary>
    /// Continue on the validation part before the holdout is judged, and on the holdout before the model serves. False serves exactly the weights that
    /// were judged, which have not seen the newest tenth. Default true.
    /// </summary>
    public bool FinalFit { get; init; } = true;

    /// <summary>Passes over new edges (and replayed old ones) when fine-tuning. Default 4.</summary>
    public int FineTuneEpochs { get; init; } = 4;

    /// <summary>Peak learning rate of fine-tuning, as a share of the full run's. Default 0.3.</summary>
    public double FineTuneRate { get; init; } = 0.3;

    /// <summary>Seeds everything: a run with the same data and seed on CPU with the same threads gives the same artifact digest. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Threads of libtorch and of the managed parts; 0 = all processors.</summary>
    public int Threads { get; init; }

    /// <summary><c>cpu</c>, <c>cuda</c> or <c>auto</c> (cuda where there is one). Default auto.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>
    /// Precision of the user encoder's and the loss's matrix products in training: <c>full</c> (float32) or <c>bfloat16</c>, with the weights in
    /// float32 either way. Default full: bfloat16 pays on a GPU with units for it and costs time on most CPUs.
    /// </summary>
    public Precision Precision { get; init; }

    /// <summary>Dropout in the user encoder. Default 0.3.</summary>
    public double Dropout { get; init; } = 0.3;

    /// <summary>
    /// What a position of a history is asked for in training. Default: all of the next moment where repeats are recommended (a shop's list is made between
    /// two visits), else the next event.
    /// </summary>
    public TargetMode? Targets { get; init; }

    /// <summary>
    /// Where repeats are recommended and the catalogue has a full softmax, the
    /// person's own edges reach the score (<see cref="CopyHead"/>). Default true.
    /// </summary>
    public bool CopyRepeats { get; init; } = true;

    /// <summary>
    /// Relations of the item graph that reach the scores in one hop (<see cref="NeighbourHead"/>), 0 to 2. Default: 1 where seen items are
    /// left out, 0 where repeats are recommended (there it has not been measured to help) and for catalogues above <see cref="HopItems"/>.
    /// </summary>
    public int? Hops { get; init; }

    /// <summary>
    /// Largest catalogue with such hops: training keeps items² floats per relation, and
    /// (positions of a batch) × items more. Default 8,000, which is 256 MB each.
    /// </summary>
    public int HopItems { get; init; } = 8_000;

    /// <summary>
    /// Factor on what the hops add when scores are served (<see cref="NeighbourHead"/>).
    /// Default 2, the middle of what was level on held-out events of MovieLens (1.4 to 2.3).
    /// </summary>
    public float HopTrust { get; init; } = 2;

    /// <summary>Give the encoder the time between events of the history as well. Default false.</summary>
    public bool Gaps { get; init; }

    /// <summary>Padded positions per training batch, at most. Default 3,200.</summary>
    public int BatchTokens { get; init; } = 3_200;

    /// <summary>
    /// Little data gets smaller batches, down to 512 positions, for about this many steps per epoch: 20,000 events learned in 8 steps per epoch came to
    /// two thirds of what 40 steps gave in as many epochs. Default 32.
    /// </summary>
    public int StepsPerEpoch { get; init; } = 32;

    /// <summary>Neighbours per item in the item graph. Default 20.</summary>
    public int Neighbours { get; init; } = 20;

    /// <summary>Categories kept as item features, most frequent first. Default 256.</summary>
    public int MaxCategories { get; init; } = 256;

    /// <summary>Write TensorBoard event files next to the models. Default false.</summary>
    public bool TensorBoard { get; init; }

    /// <summary>
    /// Shape of the user encoder. Default: the model's, with a feed-forward
    /// part as wide as the vectors; a wider one cost time and gave nothing.
    /// </summary>
    public EncoderConfig Encoder { get; init; } = new() { Ffn = 64 };

    /// <summary>Shape of the item side.</summary>
    public ItemModelOptions Items { get; init; } = new();

    /// <summary>
    /// Graph layers of the encoders of the graph channel, one encoder each with a seed of its own; the mean of their z-scores is served, at so many times
    /// the time to train and to encode. Default: one encoder, with the layer of <see cref="Items"/>.
    /// </summary>
    public IReadOnlyList<GraphLayer> Ensemble { get; init; } = [];

    /// <summary>Settings of the descent.</summary>
    public LoopOptions Loop { get; init; } = new();

    /// <summary>Largest catalogue the EASE^R channel is computed for; its cost grows with items³. Default 8,000.</summary>
    public int EaseMaxItems { get; init; } = 8_000;

    /// <summary>Settings of the item-item cosine channel.</summary>
    public ItemKnnConfig ItemKnn { get; init; } = new();

    /// <summary>Settings of the channel of items close to each other in people's sequences.</summary>
    public NearbyConfig Nearby { get; init; } = new();

    /// <summary>Settings of the EASE^R channel.</summary>
    public EaseConfig Ease { get; init; } = new();

    /// <summary>
    /// History weight per event of age in the text channel: gamma^age. Default: 0.99 where repeats
    /// are recommended, a shop's baskets being long and its people's taste steady, else 0.9.
    /// </summary>
    public float? TextGamma { get; init; }

    /// <summary>How the blend is learned.</summary>
    public BlendTrainerOptions Blend { get; init; } = new();

    /// <summary>Places of the lists that are kept for new items.</summary>
    public NewItemsConfig NewItems { get; init; } = new();

    /// <summary>What is left to the data, decided.</summary>
    /// <param name="repeats">Repeats are recommended.</param>
    /// <param name="items">Size of the catalogue.</param>
    internal TrainerOptions For(bool repeats, int items)
    {
        var hops = HopsFor(repeats, items);
        return this with
        {
            Targets = Targets ?? (repeats ? TargetMode.Moment : TargetMode.Next),
            TextGamma = TextGamma ?? DefaultTextGamma(repeats),
            Encoder = Encoder with
            {
                Copy = Encoder.Copy || (CopyRepeats && repeats && items <= Loop.FullSoftmaxItems),
                Hops = hops,
                HopTrust = hops > 0 ? HopTrust : null,
            },
        };
    }

    internal static float DefaultTextGamma(bool repeats) => repeats ? 0.99f : 0.9f;

    private int HopsFor(bool repeats, int items)
    {
        var most = Math.Min(HopItems, Loop.FullSoftmaxItems);
        var asked = Hops ?? (Encoder.Hops > 0 ? Encoder.Hops : null);
        if (asked > 0 && items > most)
        {
            throw new ArgumentException(
                $"Trainer.Hops is {asked} and there are {items} items; "
                + $"hops over the item graph are learned for catalogues of up to {most} "
                + $"(Trainer.HopItems {HopItems}, Trainer.Loop.FullSoftmaxItems {Loop.FullSoftmaxItems})");
        }
        return asked ?? (repeats || items > most ? 0 : 1);
    }

    /// <summary>The descent of a fine-tuning on the events from <paramref name="newerThan"/> on.</summary>
    internal LoopOptions FineTuneLoop(int newerThan) =>
        Loop with { Epochs = FineTuneEpochs, LearningRate = Loop.LearningRate * FineTuneRate, NewerThan = newerThan, CheckpointPath = null };

    internal int ThreadCount => Threads > 0 ? Threads : Environment.ProcessorCount;

    /// <exception cref="ArgumentException">A setting is out of its range; the message names it and its value.</exception>
    public void Validate()
    {
        if (HoldoutShare is not (> 0 and < 0.5))
            throw new ArgumentException($"Trainer.HoldoutShare is {HoldoutShare}; it must be above 0 and below 0.5");
        if (ValidShare is not (> 0 and < 0.5))
            throw new ArgumentException($"Trainer.ValidShare is {ValidShare}; it must be above 0 and below 0.5");
        if (MaxTrainSeconds <= 0)
            throw new ArgumentException($"Trainer.MaxTrainSeconds is {MaxTrainSeconds}; it must be above 0");
        if (TextGamma is not (null or (> 0 and <= 1)))
            throw new ArgumentException($"Trainer.TextGamma is {TextGamma}; it must be above 0 and at most 1");
        if (Loop.Accumulate < 1)
            throw new ArgumentException($"Trainer.Loop.Accumulate is {Loop.Accumulate}; it must be at least 1");
        NewItems.Validate();
        if (StepsPerEpoch < 1)
            throw new ArgumentException($"Trainer.StepsPerEpoch is {StepsPerEpoch}; it must be at least 1");
        if (MinInteractions < 20)
            throw new ArgumentException($"Trainer.MinInteractions is {MinInteractions}; below 20 there is nothing to split");
        if (Hops is < 0 or > 2 || Encoder.Hops is < 0 or > 2)
            throw new ArgumentException($"Trainer.Hops is {Hops ?? Encoder.Hops}; it must be 0, 1 or 2");
        if (Device is not ("auto" or "cpu" or "cuda"))
            throw new ArgumentException($"Trainer.Device is '{Device}'; it must be auto, cpu or cuda");
    }
}
