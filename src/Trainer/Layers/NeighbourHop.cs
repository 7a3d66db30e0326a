using StreamRec.Model;
using StreamRec.Trainer.Data;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// <see cref="NeighbourHead"/> as it is trained: at every position of every history at once, with the user's own part in the edges
/// left out, because an edge that counts the very step from history item to target would give the target away. Per relation
/// <code>
/// E[b, t, i] = Σ_q≤t exp(time[bucket(t, q)] + lag[t − q] + value[q]) · max(0, A[h_q, i] − own[h_q, i])
/// </code>
/// a causal [T, T] matrix times the gathered rows [T, items]: about the cost of the softmax's logits.
/// </summary>
public sealed class NeighbourHop : Module
{
    /// <summary>log of what an edge of weight 1 to the newest item says.</summary>
    private const float InitialStrength = 3;

    /// <summary>Added to it for each event since.</summary>
    private const float InitialDecay = -0.15f;

    private readonly Parameter _time, _lag, _value;
    private readonly Linear _gate;

    public NeighbourHop(EncoderConfig config) : base(nameof(NeighbourHop))
    {
        // Starts close to the closed form: each event speaks for about seven more, with weights for which the logarithm bends.
        _time = new Parameter(torch.full(new long[] { config.Hops, config.TimeRows }, InitialStrength, dtype: ScalarType.Float32));
        var age = torch.arange(config.MaxHistory, dtype: ScalarType.Float32).unsqueeze(0);
        _lag = new Parameter((age * InitialDecay).expand(config.Hops, config.MaxHistory).contiguous());
        _value = new Parameter(torch.zeros(new long[] { config.Hops, config.ValueRows }, dtype: ScalarType.Float32));
        _gate = Linear(config.Dim, config.Hops);
        init.zeros_(_gate.weight!);
        init.constant_(_gate.bias!, 0.5);
        RegisterComponents();
    }

    /// <summary>Under their names in the artifact.</summary>
    public IEnumerable<(string Name, Parameter Value)> Named =>
        [
            (TensorNames.HopTime, _time),
            (TensorNames.HopLag, _lag),
            (TensorNames.HopValue, _value),
            (TensorNames.HopGate, _gate.weight!),
            (TensorNames.HopBias, _gate.bias!),
        ];

    /// <summary>log(1 + E) per relation at the asked positions: [questions, columns] each.</summary>
    /// <param name="batch">Its <see cref="SequenceBatch.Hops"/> must be there.</param>
    /// <param name="asked">[questions] flat positions.</param>
    /// <param name="edges">Per relation [items, columns].</param>
    /// <param name="columnOf">Column of each item; null = the item's index.</param>
    public Tensor[] Evidence(SequenceBatch batch, Tensor asked, IReadOnlyList<Tensor> edges, long[]? columnOf)
    {
        var (rows, length, device) = (batch.Rows, batch.Length, asked.device);
        var bucket = torch.tensor(batch.Hops!.Time).to(ScalarType.Int64).to(device);
        var keep = bucket.ne(0).to(ScalarType.Float32).view(rows, length, length);
        var place = torch.arange(length, dtype: ScalarType.Int64, device: device);
        var lag = (place.unsqueeze(1) - place.unsqueeze(0)).clamp(min: 0).reshape(-1);
        var value = torch.tensor(batch.Value).to(device);
        var item = torch.tensor(batch.Item).to(device);
        var evidence = new Tensor[edges.Count];
        for (var r = 0; r < edges.Count; r++)
        {
            var strength = ((_time[r].index_select(0, bucket).view(rows, length, length) + _lag[r].index_select(0, lag).view(1, length, length))
                + _value[r].index_select(0, value).view(rows, 1, length)).exp() * keep;
            var sums = strength.bmm(Rows(edges[r], item, batch.Hops.Own[r], columnOf).view(rows, length, -1)).view(rows * length, -1);
            evidence[r] = sums.index_select(0, asked).log1p();
        }

        return evidence;
    }

    /// <summary>What the evidence adds to the logits [questions, columns] of users [questions, d].</summary>
    public Tensor Gated(Tensor users, Tensor[] evidence)
    {
        var gate = _gate.forward(users);
        var sum = gate.narrow(1, 0, 1) * evidence[0];
        for (var r = 1; r < evidence.Length; r++)
            sum = sum + (gate.narrow(1, r, 1) * evidence[r]);
        return sum;
    }

    /// <summary>Rows of the history items, less what the user put in: [positions, columns].</summary>
    private static Tensor Rows(Tensor edges, Tensor item, List<(int Position, int Item, float Weight)> own, long[]? columnOf)
    {
        using var none = torch.no_grad();
        var rows = edges.index_select(0, item);
        if (own.Count == 0)
            return rows;
        var (place, weight) = (new long[own.Count], new float[own.Count]);
        for (var k = 0; k < place.Length; k++)
            (place[k], weight[k]) = ((own[k].Position * rows.shape[1]) + (columnOf is null ? own[k].Item : columnOf[own[k].Item]), own[k].Weight);
        rows.view(-1).index_add_(0, torch.tensor(place).to(rows.device), torch.tensor(weight).to(rows.device), -1);
        return rows.clamp_(min: 0);
    }
}
