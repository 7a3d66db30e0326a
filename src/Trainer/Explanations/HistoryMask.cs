using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Layers;
using StreamRec.Trainer.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using AdamW = StreamRec.Trainer.Training.AdamW;

namespace StreamRec.Trainer.Explanations;

/// <summary>How a mask is learned.</summary>
public sealed record MaskOptions
{
    /// <summary>Default 150: about half a second for 50 events and 2,000 items.</summary>
    public int Steps { get; init; } = 150;

    /// <summary>Default 0.1.</summary>
    public double LearningRate { get; init; } = 0.1;

    /// <summary>Price of an edge that stays, per edge of the history. Larger keeps fewer. Default 1.</summary>
    public double Size { get; init; } = 1;

    /// <summary>Price of an undecided edge. Default 0.3.</summary>
    public double Entropy { get; init; } = 0.3;
}

/// <summary>What is left of a recommendation when only the edges of the mask stay.</summary>
/// <param name="Positions">Positions in the history asked about, oldest first, of the events the encoder reads.</param>
/// <param name="Mask">For each the weight of its edges, 0..1; the newest event's own state is no edge and always stays.</param>
/// <param name="Probability">Softmax probability of the item among the model's items with all edges.</param>
/// <param name="MaskedProbability">The same with the mask.</param>
public sealed record MaskedHistory(int[] Positions, float[] Mask, double Probability, double MaskedProbability);

/// <summary>
/// The smallest part of a user's history that carries a recommendation, found as GNNExplainer does
/// (Ying et al., NeurIPS 2019): a mask m = σ(θ) over the edges by which later positions look at an
/// event, learned to keep −log p(item) low while size and entropy of the mask are paid for:
/// <code>
/// min over θ of  −log p(item | logits + log m)  +  size · mean(m)  +  entropy · mean(H(m))
/// </code>
/// What own edges and the item graph add beside attention (<see cref="CopyHead"/>, <see cref="NeighbourHead"/>) has no edges to mask and is
/// left out, of the probabilities too. Reads an artifact alone, of an ensemble its first encoder. Not thread-safe; uses libtorch's threads.
/// </summary>
public static class HistoryMask
{
    /// <exception cref="InvalidDataException">The artifact has no graph channel.</exception>
    /// <exception cref="ArgumentException">No event of the history is on an item of the model.</exception>
    public static MaskedHistory Learn(
        ModelArtifact artifact, IReadOnlyList<UserEvent> history, long nowMs, IReadOnlyList<int> attributes, int item,
        MaskOptions? options = null)
    {
        options ??= new MaskOptions();
        var config = artifact.Manifest.Config.Encoder ?? throw new InvalidDataException($"model v{artifact.Manifest.Version} has no graph channel to explain");
        using var scope = torch.NewDisposeScope();
        using var users = Encoder(artifact, config);
        var items = torch.tensor(
            artifact.Require(TensorNames.ItemVectors, artifact.Items.Length, config.Dim),
            new long[] { artifact.Items.Length, config.Dim });
        var bias = artifact.Tensors.ContainsKey(TensorNames.ItemBias)
            ? torch.tensor(artifact.Require(TensorNames.ItemBias, artifact.Items.Length))
            : torch.zeros(artifact.Items.Length);
        var (batch, positions) = Rows(config, history, nowMs, artifact.Items.Length);
        var input = batch.ToInput(torch.CPU);
        if (config.AttributeRows > 0)
        {
            var own = new float[config.AttributeRows];
            foreach (var attribute in attributes)
                own[attribute] = 1;
            input = input with { Attributes = torch.tensor(own, new long[] { 1, own.Length }) };
        }

        Tensor LogProbability(Tensor? edges) =>
            users.Encode(items, input, edges).narrow(1, positions.Length - 1, 1).reshape(1, -1).mm(items.t()).add(bias).log_softmax(1).narrow(1, item, 1).sum();

        var theta = new Parameter(torch.ones(new long[] { positions.Length }, dtype: ScalarType.Float32));
        using var optimizer = new AdamW([theta], 0.9, 0.999, 1e-8, 0);
        for (var step = 0; step < options.Steps; step++)
        {
            using var inner = torch.NewDisposeScope();
            var mask = theta.sigmoid().clamp(min: 1e-4, max: 1 - 1e-4);
            var entropy = (mask * mask.log() + (1 - mask) * (1 - mask).log()).mean().neg();
            var loss = LogProbability(mask.log()).neg() + (mask.mean() * options.Size) + (entropy * options.Entropy);
            optimizer.Step([.. torch.autograd.grad([loss], [theta])], options.LearningRate);
        }

        using var none = torch.no_grad();
        var learned = theta.sigmoid();
        return new MaskedHistory(
            positions, learned.data<float>().ToArray(),
            Math.Exp(LogProbability(null).ToDouble()),
            Math.Exp(LogProbability(learned.clamp(min: 1e-4).log()).ToDouble()));
    }

    private static TemporalUserEncoder Encoder(ModelArtifact artifact, EncoderConfig config)
    {
        using var none = torch.no_grad();
        // Encoders that were trained without gaps have zeros in that table.
        var encoder = new TemporalUserEncoder(config, 0, new MaskDropout(), gaps: true);
        foreach (var (name, parameter) in encoder.named_parameters())
            parameter.copy_(torch.tensor(artifact.Require(GraphRecommender.UserName(name), parameter.shape), parameter.shape));
        foreach (var parameter in encoder.parameters())
            parameter.requires_grad = false;
        encoder.eval();
        return encoder;
    }

    private static (SequenceBatch Batch, int[] Positions) Rows(EncoderConfig config, IReadOnlyList<UserEvent> history, long nowMs, int items)
    {
        var (rows, source) = (new UserSequence.Row[config.MaxHistory], new int[config.MaxHistory]);
        var count = UserSequence.Fill([.. history], nowMs, items, rows, source);
        if (count == 0)
            throw new ArgumentException($"none of the {history.Count} events is on an item of the model", nameof(history));
        var batch = new SequenceBatch(1, count) { Asked = [], Target = [] };
        for (var t = 0; t < count; t++)
            batch.Set(0, t, rows[t]);
        return (batch, source[..count]);
    }
}
