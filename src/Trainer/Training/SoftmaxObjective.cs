using StreamRec.Trainer.Data;
using StreamRec.Trainer.Losses;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Training;

/// <summary>
/// The loss of one batch: softmax over all training items where they fit, else over the batch's targets and shared negatives with logQ correction.
/// One matrix product for the logits, on asked positions only.
/// </summary>
internal sealed class SoftmaxObjective : IDisposable
{
    private readonly GraphRecommender _model;
    private readonly double _smoothing;
    private readonly long[] _classOf;
    private readonly Tensor _classes;
    private readonly bool _allItems;
    private readonly Tensor? _logQ;
    private readonly int _negatives;
    private readonly Tensor[] _relations;

    public SoftmaxObjective(GraphRecommender model, SequenceSampler sampler, long[] classes, LoopOptions options)
    {
        (_model, _smoothing) = (model, options.LabelSmoothing);
        _allItems = classes.Length == model.Inputs.Items;
        _classes = torch.tensor(classes).to(model.Device).DetachFromDisposeScope();
        _classOf = new long[model.Inputs.Items];
        for (var c = 0; c < classes.Length; c++)
            _classOf[classes[c]] = c;
        _relations = Array.ConvertAll(model.Inputs.Relations?.Relations ?? [], r => _allItems ? r : r.index_select(1, _classes).DetachFromDisposeScope());
        if (classes.Length <= options.FullSoftmaxItems)
            return;
        _negatives = Math.Min(options.Negatives, classes.Length);
        _logQ = LogQ(sampler.ItemCounts, classes).to(model.Device).DetachFromDisposeScope();
    }

    /// <param name="batch">Its asked positions are the rows of the loss.</param>
    /// <param name="activations">Filled with spread and largest value of item and user vectors; null = not asked for.</param>
    public Tensor Loss(SequenceBatch batch, Dictionary<string, double>? activations = null)
    {
        var items = _model.Items.forward(_model.Inputs);
        var hidden = _model.Users.forward(items, batch.ToInput(_model.Device));
        if (activations is not null)
        {
            Describe("item", items, activations);
            Describe("user", hidden, activations);
        }

        var asked = hidden.reshape(-1, hidden.shape[^1]).index_select(0, torch.tensor(batch.Asked).to(_model.Device));
        var (table, bias) = _allItems ? (items, _model.Bias) : (items.index_select(0, _classes), _model.Bias.index_select(0, _classes));
        var target = torch.tensor(Array.ConvertAll(batch.Target, i => _classOf[i])).to(_model.Device);
        var question = batch.Question is null ? null : torch.tensor(batch.Question).to(_model.Device);
        if (_logQ is null)
        {
            return SoftmaxLosses.Full(
                asked, table, bias, target, _smoothing,
                _model.FromEdges(batch, asked, _relations, table.shape[0], _classOf),
                question, _model.Products);
        }
        return Sampled(question is null ? asked : asked.index_select(0, question), table, bias, target);
    }

    public void Dispose()
    {
        foreach (var relation in _allItems ? [] : _relations)
            relation.Dispose();
        _classes.Dispose();
        _logQ?.Dispose();
    }

    private static void Describe(string name, Tensor vectors, Dictionary<string, double> activations)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var rows = vectors.detach().reshape(-1, vectors.shape[^1]);
        activations[$"activation_{name}_std"] = rows.std(0, false, false).mean().ToDouble(); // 0: all vectors are the same, whatever their length
        activations[$"activation_{name}_max"] = rows.abs().max().ToDouble();
    }

    /// <summary>The bias is one more coordinate of the item, met by a constant 1 of the user.</summary>
    private Tensor Sampled(Tensor asked, Tensor table, Tensor bias, Tensor target)
    {
        var drawn = torch.multinomial(_logQ!.exp(), _negatives, true);
        var users = torch.cat([asked, torch.ones(new[] { asked.shape[0], 1L }, dtype: asked.dtype, device: asked.device)], 1);
        Tensor Rows(Tensor index) => torch.cat([table.index_select(0, index), bias.index_select(0, index).unsqueeze(1)], 1);
        var hits = target.unsqueeze(1).eq(drawn.unsqueeze(0));
        return SoftmaxLosses.Shared(
            users, Rows(target), Rows(drawn), _logQ.index_select(0, target), _logQ.index_select(0, drawn), hits: hits, products: _model.Products);
    }

    /// <summary>Negatives are drawn by event count to the power 3/4 (word2vec's choice): popular items are the hard ones, rare ones still appear.</summary>
    private static Tensor LogQ(int[] counts, long[] classes)
    {
        var q = Array.ConvertAll(classes, i => (float)Math.Pow(Math.Max(1, counts[i]), 0.75));
        var total = q.Sum(x => (double)x);
        return torch.tensor(Array.ConvertAll(q, x => (float)Math.Log(x / total)));
    }
}
