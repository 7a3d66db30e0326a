using StreamRec.Trainer.Data;
using StreamRec.Trainer.Losses;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Training;

/// <summary>
/// The loss of one batch: softmax over all training items where they fit, else over the batch's targets and shared negatives with logQ correction.
/// One matrix product for the logits, on asked positions only. What the item model computes is the whole catalogue where most of it competes; else only
/// the items that compete (<see cref="ItemView"/>), which gives the same loss.
/// </summary>
internal sealed class SoftmaxObjective : IDisposable
{
    private readonly GraphRecommender _model;
    private readonly double _smoothing;
    private readonly long[] _classes;
    private readonly long[] _classOf;
    private readonly bool _allItems;
    private readonly bool _whole;
    private readonly Tensor _classRows;
    private readonly Tensor[] _relations;
    private readonly ItemNodes _nodes;
    private readonly ItemView? _competing;
    private readonly Tensor? _logQ;
    private readonly int _negatives;

    public SoftmaxObjective(GraphRecommender model, SequenceSampler sampler, long[] classes, LoopOptions options)
    {
        (_model, _smoothing, _classes) = (model, options.LabelSmoothing, classes);
        var items = model.Inputs.Items;
        (_allItems, _whole) = (classes.Length == items, classes.Length * 2L > items);
        _classRows = torch.tensor(classes).to(model.Device).DetachFromDisposeScope();
        _classOf = new long[items];
        for (var c = 0; c < classes.Length; c++)
            _classOf[classes[c]] = c;
        _relations = Array.ConvertAll(model.Inputs.Relations?.Relations ?? [], r => _allItems ? r : r.index_select(1, _classRows).DetachFromDisposeScope());
        _nodes = new ItemNodes(items);
        if (classes.Length <= options.FullSoftmaxItems)
        {
            _competing = _whole ? null : Competing();
            return;
        }

        _negatives = Math.Min(options.Negatives, classes.Length);
        _logQ = LogQ(sampler.ItemCounts, classes).to(model.Device).DetachFromDisposeScope();
    }

    /// <param name="batch">Its asked positions are the rows of the loss.</param>
    /// <param name="activations">Filled with spread and largest value of item and user vectors; null = not asked for.</param>
    public Tensor Loss(SequenceBatch batch, Dictionary<string, double>? activations = null) =>
        _logQ is null ? Full(batch, activations) : Sampled(batch, _logQ, activations);

    public void Dispose()
    {
        foreach (var relation in _allItems ? [] : _relations)
            relation.Dispose();
        foreach (var tensor in _competing?.Tensors ?? [])
            tensor.Dispose();
        _classRows.Dispose();
        _logQ?.Dispose();
    }

    private Tensor Full(SequenceBatch batch, Dictionary<string, double>? activations)
    {
        Tensor asked, table, bias;
        if (_whole)
        {
            var items = _model.Items.forward(_model.Inputs.All(_model.Items.Layers));
            asked = Asked(items, batch, null, activations);
            (table, bias) = _allItems ? (items, _model.Bias) : (items.index_select(0, _classRows), _model.Bias.index_select(0, _classRows));
        }
        else
        {
            table = _model.Items.forward(_competing!);
            asked = Asked(table, batch, Array.ConvertAll(batch.Item, i => _classOf[i]), activations);
            bias = _model.Bias.index_select(0, _classRows);
        }

        var edges = _model.FromEdges(batch, asked, _relations, table.shape[0], _classOf);
        return SoftmaxLosses.Full(asked, table, bias, ClassesOf(batch), _smoothing, edges, QuestionOf(batch), _model.Products);
    }

    /// <summary>The bias is one more coordinate of the item, met by a constant 1 of the user.</summary>
    private Tensor Sampled(SequenceBatch batch, Tensor logQ, Dictionary<string, double>? activations)
    {
        var drawn = torch.multinomial(logQ.exp(), _negatives, true);
        _nodes.Clear();
        var (rows, targets) = (RowsOf(batch.Item), RowsOf(batch.Target));
        var negatives = RowsOf(Array.ConvertAll(drawn.cpu().data<long>().ToArray(), c => _classes[c]));
        var (items, bias) = Compute();
        var asked = Asked(items, batch, rows, activations);
        if (QuestionOf(batch) is { } question)
            asked = asked.index_select(0, question);
        var users = torch.cat([asked, torch.ones(new[] { asked.shape[0], 1L }, dtype: asked.dtype, device: asked.device)], 1);
        var table = torch.cat([items, bias.unsqueeze(1)], 1);
        Tensor On(long[] x) => torch.tensor(x).to(_model.Device);
        var (target, negative) = (On(targets), On(negatives));
        return SoftmaxLosses.Shared(
            users, table.index_select(0, target), table.index_select(0, negative), logQ.index_select(0, ClassesOf(batch)), logQ.index_select(0, drawn),
            hits: target.unsqueeze(1).eq(negative.unsqueeze(0)), products: _model.Products);
    }

    /// <summary>The items with training events, which are all that histories and targets hold: a row each, in the order of the classes.</summary>
    private ItemView Competing()
    {
        using var scope = torch.NewDisposeScope();
        _nodes.Clear();
        foreach (var item in _classes)
            _nodes.Add((int)item);
        var view = _model.Inputs.Around(_nodes, _model.Items.Layers);
        foreach (var tensor in view.Tensors)
            tensor.DetachFromDisposeScope();
        return view;
    }

    private long[] RowsOf(long[] items) => Array.ConvertAll(items, i => (long)_nodes.Add((int)i));

    /// <summary>Vectors and biases of the items met so far, by row.</summary>
    private (Tensor Items, Tensor Bias) Compute()
    {
        var view = _model.Inputs.Around(_nodes, _model.Items.Layers);
        return (_model.Items.forward(view), _model.Bias.index_select(0, view.Rows!.narrow(0, 0, view.Asked)));
    }

    /// <summary>User vectors [questions, d] at the asked positions.</summary>
    private Tensor Asked(Tensor items, SequenceBatch batch, long[]? rows, Dictionary<string, double>? activations)
    {
        var hidden = _model.Users.forward(items, batch.ToInput(_model.Device, rows));
        if (activations is not null)
        {
            Describe("item", items, activations);
            Describe("user", hidden, activations);
        }

        return hidden.reshape(-1, hidden.shape[^1]).index_select(0, torch.tensor(batch.Asked).to(_model.Device));
    }

    private Tensor ClassesOf(SequenceBatch batch) => torch.tensor(Array.ConvertAll(batch.Target, i => _classOf[i])).to(_model.Device);

    private Tensor? QuestionOf(SequenceBatch batch) => batch.Question is null ? null : torch.tensor(batch.Question).to(_model.Device);

    private static void Describe(string name, Tensor vectors, Dictionary<string, double> activations)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var rows = vectors.detach().reshape(-1, vectors.shape[^1]);
        activations[$"activation_{name}_std"] = rows.std(0, false, false).mean().ToDouble(); // 0: all vectors are the same, whatever their length
        activations[$"activation_{name}_max"] = rows.abs().max().ToDouble();
    }

    /// <summary>Negatives are drawn by event count to the power 3/4 (word2vec's choice): popular items are the hard ones, rare ones still appear.</summary>
    private static Tensor LogQ(int[] counts, long[] classes)
    {
        var q = Array.ConvertAll(classes, i => (float)Math.Pow(Math.Max(1, counts[i]), 0.75));
        var total = q.Sum(x => (double)x);
        return torch.tensor(Array.ConvertAll(q, x => (float)Math.Log(x / total)));
    }
}
