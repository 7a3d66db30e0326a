namespace StreamRec.Trainer.Training;

/// <summary>Settings of one training run over one model. The values are what won on the validation part of the sets measured.</summary>
public sealed record LoopOptions
{
    /// <summary>Passes over the training targets, at most. Default 36.</summary>
    public int Epochs { get; init; } = 36;

    /// <summary>Peak learning rate. Default 0.002.</summary>
    public double LearningRate { get; init; } = 0.002;

    /// <summary>Share of the steps spent warming up. Default 0.03.</summary>
    public double WarmupShare { get; init; } = 0.03;

    /// <summary>AdamW's decoupled decay. Default 0.01.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>AdamW's second decay rate. 0.98 follows the sparse gradients of items faster than 0.999.</summary>
    public double Beta2 { get; init; } = 0.98;

    /// <summary>Largest norm of the whole gradient; a longer one is scaled down. Default 5.</summary>
    public double ClipNorm { get; init; } = 5;

    /// <summary>Batches whose gradients are put together for one update: a larger batch than memory holds. Default 1.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>
    /// Length ε of the step against the item table that each batch is also learned with (FGM, Miyato et al., 2017): smoother item vectors for about twice
    /// the time. 0, the default, leaves it out.
    /// </summary>
    public double Adversarial { get; init; }

    /// <summary>
    /// Decay of a moving average of the weights, which is then what is validated
    /// and kept, such as 0.998. 0, the default, keeps the weights themselves.
    /// </summary>
    public double Average { get; init; }

    /// <summary>Share of the target's probability spread over all items. Default 0.1.</summary>
    public double LabelSmoothing { get; init; } = 0.1;

    /// <summary>Validations without a better result before the run stops early. Default 4.</summary>
    public int Patience { get; init; } = 4;

    /// <summary>Validations per run, evenly spread, the last at the end. Default 9.</summary>
    public int Validations { get; init; } = 9;

    /// <summary>
    /// Seconds the run may take; the learning rate then follows the clock, so that it is annealed when time is up. Default: no limit.
    /// A run that hits the limit is not reproducible bit by bit.
    /// </summary>
    public double MaxSeconds { get; init; } = double.PositiveInfinity;

    /// <summary>First event index of the new edges when fine-tuning; 0 trains on everything.</summary>
    public int NewerThan { get; init; }

    /// <summary>Chance that a piece of history without new edges is replayed when fine-tuning. Default 0.2.</summary>
    public double Replay { get; init; } = 0.2;

    /// <summary>Catalogues above this many items use a sampled softmax with logQ correction. Default 20,000.</summary>
    public int FullSoftmaxItems { get; init; } = 20_000;

    /// <summary>Negatives shared by a batch in the sampled softmax. Default 4,096.</summary>
    public int Negatives { get; init; } = 4096;

    /// <summary>Where the run keeps its state after each epoch, to go on after a kill; null keeps none.</summary>
    public string? CheckpointPath { get; init; }

    /// <summary>Directory for a TensorBoard event file; null writes none.</summary>
    public string? TensorBoardDirectory { get; init; }
}

/// <summary>What a run did.</summary>
/// <param name="Epochs">Passes begun.</param>
/// <param name="Steps">Updates.</param>
/// <param name="Targets">Predicted events.</param>
/// <param name="Seconds">Wall time, validations included.</param>
/// <param name="Loss">Mean training loss of the last epoch.</param>
/// <param name="BestValidation">Best validation result; NaN when the run had none.</param>
/// <param name="StoppedBy"><c>epochs</c>, <c>time</c> or <c>patience</c>.</param>
/// <param name="Alarms">Explosions of the gradient and layers with dead units, in words.</param>
public sealed record LoopResult(
    int Epochs, int Steps, long Targets, double Seconds, double Loss, double BestValidation,
    string StoppedBy, IReadOnlyList<string> Alarms);
