using StreamRec.Trainer.Layers;
using StreamRec.Trainer.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using AdamW = StreamRec.Trainer.Training.AdamW;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Bench;

/// <summary>
/// Two layers of attention both ways over the whole user-item graph, the model that PyTorch Geometric is
/// timed on: ID embeddings of 64, 2 heads, residual, mean of the layers; 8,192 positive pairs a batch, whose
/// edges are left out, against 512 shared negatives. Made of the project's own layers and optimizer.
/// </summary>
internal sealed class GatTrainer : IDisposable
{
    private const int Width = 64, Heads = 2, Layers = 2, Batch = 8_192, Negatives = 512;
    private readonly int[] _user, _item;
    private readonly int _users, _items;
    private readonly int[] _known;
    private readonly bool[] _positive;
    private readonly Parameter _userTable, _itemTable, _bias;
    private readonly GatConv[] _toUsers, _toItems;
    private readonly Parameter[] _parameters;
    private readonly AdamW _optimizer;
    private readonly MaskDropout _dropout = new();
    private readonly Random _random = new(1);

    /// <param name="user">User of each distinct pair.</param>
    /// <param name="item">Its item.</param>
    /// <param name="users">Users in all.</param>
    /// <param name="items">Items in all.</param>
    public GatTrainer(int[] user, int[] item, int users, int items)
    {
        (_user, _item, _users, _items) = (user, item, users, items);
        _known = [.. item.Distinct().Order()];
        _positive = new bool[users * items];
        for (var k = 0; k < user.Length; k++)
            _positive[(user[k] * items) + item[k]] = true;
        torch.manual_seed(0);
        (_userTable, _itemTable) = (new Parameter(torch.randn(users, Width) * 0.1), new Parameter(torch.randn(items, Width) * 0.1));
        _bias = new Parameter(torch.zeros(items));
        GatConv[] Make() => [.. Enumerable.Range(0, Layers).Select(_ => new GatConv(Width, Width, Width / Heads, new GatOptions { Heads = Heads }))];
        (_toUsers, _toItems) = (Make(), Make());
        _parameters = [_userTable, _itemTable, _bias, .. _toUsers.Concat(_toItems).SelectMany(l => l.parameters())];
        _optimizer = new AdamW(_parameters, 0.9, 0.999, 1e-8, 0.01);
    }

    /// <summary>One pass over the pairs.</summary>
    /// <returns>Pairs learned.</returns>
    public double Epoch(CancellationToken ct)
    {
        int[] order = [.. Enumerable.Range(0, _user.Length)];
        _random.Shuffle(order);
        for (var from = 0; from < order.Length; from += Batch)
        {
            ct.ThrowIfCancellationRequested();
            Step(order[from..Math.Min(order.Length, from + Batch)]);
        }

        return order.Length;
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        foreach (var parameter in _parameters)
            parameter.Dispose();
    }

    private void Step(int[] batch)
    {
        using var scope = torch.NewDisposeScope();
        _dropout.Seed((ulong)_optimizer.Steps);
        var keep = new bool[_user.Length];
        Array.Fill(keep, true);
        foreach (var k in batch)
            keep[k] = false;
        long[] edges = [.. Enumerable.Range(0, keep.Length).Where(k => keep[k]).Select(k => (long)k)];
        var users = torch.tensor(Array.ConvertAll(edges, k => (long)_user[k]));
        var items = torch.tensor(Array.ConvertAll(edges, k => (long)_item[k]));
        var (u, i) = Propagate(new EdgeList(items, users), new EdgeList(users, items));

        int[] drawn = [.. Enumerable.Range(0, Negatives).Select(_ => _known[_random.Next(_known.Length)])];
        var hits = new bool[batch.Length * Negatives];
        for (var b = 0; b < batch.Length; b++)
        {
            for (var n = 0; n < Negatives; n++)
                hits[(b * Negatives) + n] = _positive[(_user[batch[b]] * _items) + drawn[n]];
        }

        var (target, negative) = (torch.tensor(Array.ConvertAll(batch, k => (long)_item[k])), torch.tensor(Array.ConvertAll(drawn, n => (long)n)));
        var asked = u.index_select(0, torch.tensor(Array.ConvertAll(batch, k => (long)_user[k])));
        var own = (asked * i.index_select(0, target)).sum(1).add(_bias.index_select(0, target)).unsqueeze(1);
        var others = asked.mm(i.index_select(0, negative).t())
            .add(_bias.index_select(0, negative))
            .masked_fill(torch.tensor(hits, new long[] { batch.Length, Negatives }), -1e9);
        var loss = F.cross_entropy(torch.cat([own, others], 1), torch.zeros(new long[] { batch.Length }, dtype: ScalarType.Int64));
        _optimizer.Step([.. torch.autograd.grad([loss], [.. _parameters], allow_unused: true)], 0.005);
    }

    private (Tensor Users, Tensor Items) Propagate(EdgeList toUsers, EdgeList toItems)
    {
        var (u, i) = (_dropout.Apply(_userTable, 0.1, true), _dropout.Apply(_itemTable, 0.1, true));
        var (sumU, sumI) = (u, i);
        for (var l = 0; l < Layers; l++)
        {
            var (nextU, nextI) = (_toUsers[l].Attend(i, u, toUsers, null).Y, _toItems[l].Attend(u, i, toItems, null).Y);
            (u, i) = (F.elu(nextU, 1) + u, F.elu(nextI, 1) + i);
            (sumU, sumI) = (sumU + u, sumI + i);
        }

        return (sumU / (Layers + 1), sumI / (Layers + 1));
    }
}
