using StreamRec.Model;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer;

/// <summary>
/// The trained model: item vectors from the graph, user vectors from the newest edges, one bias per item:
/// score(u, i) = user · item_i + bias_i. Owns its parameters; not thread-safe.
/// </summary>
public sealed class GraphRecommender : IDisposable
{
    private const string ItemPrefix = "train.items.";
    private const string UserPrefix = "user.";

    /// <summary>Above the full softmax's default limit: what is trained whole is computed whole.</summary>
    private const int ItemsAtOnce = 32_768;
    private static readonly string[] Tables = ["pos", "type", "value", "gap", "ask", "attribute"];

    private readonly Parameter _bias;
    private readonly Linear? _copyGate;
    private readonly Parameter? _copyTime;

    public GraphRecommender(
        EncoderConfig encoder, ItemModelOptions items, ItemInputs inputs, double dropout, bool gaps = false,
        Precision precision = Precision.Full)
    {
        Inputs = inputs;
        Products = Products.In(precision);
        Items = new ItemGraphModel(encoder.Dim, inputs.Items, inputs.TextDim, inputs.CategoryCount, items, Dropout);
        Users = new TemporalUserEncoder(encoder, dropout, Dropout, gaps, Products);
        _bias = new Parameter(torch.zeros(new long[] { inputs.Items }, dtype: ScalarType.Float32, device: inputs.Device));
        if (encoder.Copy)
        {
            // Starts as a count of earlier events, with a weight of one half.
            _copyTime = new Parameter(torch.zeros(new long[] { encoder.TimeRows }, dtype: ScalarType.Float32, device: inputs.Device));
            _copyGate = Linear(encoder.Dim, 1);
            init.zeros_(_copyGate.weight!);
            init.constant_(_copyGate.bias!, 0.5);
        }

        if (encoder.Hops > 0)
            Hop = new NeighbourHop(encoder);
        // Made on CPU, so that a seed gives the same start everywhere. Before they are listed: a move may replace parameters.
        Items.to(Device);
        Users.to(Device);
        Hop?.to(Device);
        _copyGate?.to(Device);
        Parameters =
        [
            .. Items.named_parameters().Select(p => (ItemPrefix + p.name, p.parameter)),
            .. Users.named_parameters().Select(p => (UserName(p.name), p.parameter)),
            (TensorNames.ItemBias, _bias),
            .. _copyTime is null
                ? []
                : new[]
                {
                    (TensorNames.CopyTime, _copyTime),
                    (TensorNames.CopyGate, _copyGate!.weight!),
                    (TensorNames.CopyBias, _copyGate.bias!),
                },
            .. Hop?.Named ?? [],
        ];
    }

    public ItemInputs Inputs { get; }

    /// <summary>Precision of the user encoder's and the loss's matrix products.</summary>
    public Products Products { get; }

    /// <summary>Where both sides' dropout masks come from; the loop seeds it at each step.</summary>
    public MaskDropout Dropout { get; } = new();

    public ItemGraphModel Items { get; }
    public TemporalUserEncoder Users { get; }

    /// <summary>What the item graph adds in one hop; null without (<see cref="EncoderConfig.Hops"/>).</summary>
    public NeighbourHop? Hop { get; }

    /// <summary>Every parameter under its name in the artifact.</summary>
    public IReadOnlyList<(string Name, Parameter Value)> Parameters { get; }

    public Tensor Bias => _bias;

    public Device Device => Inputs.Device;

    public long ParameterCount => Parameters.Sum(p => p.Value.numel());

    public void Train(bool training)
    {
        if (training)
        {
            Items.train();
            Users.train();
        }
        else
        {
            Items.eval();
            Users.eval();
        }
    }

    /// <summary>
    /// What edges add to the logits [questions, columns] beside the vectors: the users' own (<see cref="CopyHead"/>) and those between items
    /// (<see cref="NeighbourHead"/>); null when the model or the batch has neither.
    /// </summary>
    /// <param name="batch">Its asked positions are the questions.</param>
    /// <param name="users">[questions, d].</param>
    /// <param name="relations">Edges between items, [items, columns] each; read when the model has a hop.</param>
    /// <param name="columns">Columns of the logits.</param>
    /// <param name="columnOf">Column of each item; null = the item's index.</param>
    /// <param name="hopTrust">Times what the hop adds; 1 in training.</param>
    public Tensor? FromEdges(SequenceBatch batch, Tensor users, IReadOnlyList<Tensor> relations, long columns, long[]? columnOf = null, float hopTrust = 1)
    {
        var copied = Copied(users, batch.Copies, columns, columnOf);
        if (Hop is null)
            return copied;
        var hopped = Hop.Gated(users, Hop.Evidence(batch, torch.tensor(batch.Asked).to(Device), relations, columnOf));
        if (hopTrust != 1)
            hopped = hopped * hopTrust;
        return copied is null ? hopped : copied + hopped;
    }

    /// <summary>
    /// The artifact's tensors: item vectors after the graph layers (baked), bias, the user encoder, and under <c>train.</c> what a warm start needs.
    /// </summary>
    public Dictionary<string, (long[] Shape, float[] Data)> Export()
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        Train(false);
        var tensors = Parameters.ToDictionary(p => p.Name, p => Read(p.Value), StringComparer.Ordinal);
        tensors[TensorNames.ItemVectors] = Read(ItemVectors().masked_fill(Inputs.Known.logical_not(), 0));
        return tensors;
    }

    /// <summary>
    /// The vectors of the whole catalogue [items, d], for use without gradients. Above 32,768 items in pieces of as many and their
    /// neighbourhoods: with one layer and 20 neighbours about 1 GB beside the result, whatever the catalogue; each further layer multiplies a piece.
    /// </summary>
    public Tensor ItemVectors()
    {
        if (Inputs.Items <= ItemsAtOnce)
            return Items.forward(Inputs.All(Items.Layers));
        var all = torch.empty(new[] { Inputs.Items, Items.Table.shape[1] }, dtype: ScalarType.Float32, device: Device);
        var nodes = new ItemNodes(Inputs.Items);
        for (var from = 0; from < Inputs.Items; from += ItemsAtOnce)
        {
            using var scope = torch.NewDisposeScope();
            nodes.Clear();
            for (var i = from; i < Math.Min(Inputs.Items, from + ItemsAtOnce); i++)
                nodes.Add(i);
            all.narrow(0, from, nodes.Count).copy_(Items.forward(Inputs.Around(nodes, Items.Layers)));
        }

        return all;
    }

    /// <summary>
    /// Warm start: takes every tensor of the same name and shape; rows of per-item tensors go to the item they belonged to, so that new items keep
    /// their fresh rows and old ones are untouched.
    /// </summary>
    /// <param name="tensors">An artifact's tensors.</param>
    /// <param name="itemOf">For each row of the artifact the item index here; −1 = gone.</param>
    /// <returns>Names that could not be taken over (another shape or missing): the caller says so in its log.</returns>
    public IReadOnlyList<string> WarmStart(IReadOnlyDictionary<string, (long[] Shape, float[] Data)> tensors, int[] itemOf)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var fresh = new List<string>();
        foreach (var (name, parameter) in Parameters)
        {
            var perItem = name is ItemPrefix + "id" or TensorNames.ItemBias;
            if (!tensors.TryGetValue(name, out var old) || (perItem ? old.Shape[0] != itemOf.Length : !old.Shape.SequenceEqual(parameter.shape)))
                fresh.Add(name);
            else
                Write(parameter, perItem ? Remap(Read(parameter).Data, old.Data, itemOf) : old.Data);
        }

        return fresh;
    }

    /// <summary>A copy of all parameters, in order; for keeping the best epoch.</summary>
    public float[][] Save() => [.. Parameters.Select(p => Read(p.Value).Data)];

    public void Restore(float[][] saved)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        for (var i = 0; i < saved.Length; i++)
            Write(Parameters[i].Value, saved[i]);
    }

    public void Dispose()
    {
        Items.Dispose();
        Users.Dispose();
        _bias.Dispose();
        _copyTime?.Dispose();
        _copyGate?.Dispose();
        Hop?.Dispose();
    }

    /// <summary>Name in the artifact of a parameter of the user encoder.</summary>
    internal static string UserName(string name) =>
        Tables.FirstOrDefault(t => name == t + ".weight") is { } table ? UserPrefix + table : UserPrefix + name;

    private Tensor? Copied(Tensor users, List<(int Asked, int Item, int Bucket)> copies, long columns, long[]? columnOf)
    {
        if (_copyTime is null || copies.Count == 0)
            return null;
        var (place, bucket) = (new long[copies.Count], new long[copies.Count]);
        for (var k = 0; k < place.Length; k++)
        {
            var (asked, item, b) = copies[k];
            (place[k], bucket[k]) = ((asked * columns) + (columnOf is null ? item : columnOf[item]), b);
        }

        var strength = _copyTime.exp().index_select(0, torch.tensor(bucket).to(Device));
        var evidence = torch.zeros(new[] { users.shape[0] * columns }, dtype: ScalarType.Float32, device: Device)
            .index_add(0, torch.tensor(place).to(Device), strength, 1);
        return _copyGate!.forward(users) * (evidence.view(users.shape[0], columns) + 1).log();
    }

    private static (long[] Shape, float[] Data) Read(Tensor tensor)
    {
        using var scope = torch.NewDisposeScope();
        return (tensor.shape, tensor.detach().cpu().to(ScalarType.Float32).contiguous().data<float>().ToArray());
    }

    private static void Write(Parameter parameter, float[] data) =>
        parameter.copy_(torch.tensor(data, parameter.shape).to(parameter.device));

    private static float[] Remap(float[] fresh, float[] old, int[] itemOf)
    {
        var width = old.Length / Math.Max(1, itemOf.Length);
        for (var row = 0; row < itemOf.Length; row++)
        {
            if (itemOf[row] >= 0)
                old.AsSpan(row * width, width).CopyTo(fresh.AsSpan(itemOf[row] * width));
        }

        return fresh;
    }
}
