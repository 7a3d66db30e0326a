using System.Numerics.Tensors;
using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>
/// One hop over the item graph, from the user's newest edges straight to the scores. Item vectors must press who stands beside whom through
/// their width; here the edges themselves are read, and what is learned is how long and how strongly each of the user's own edges speaks:
/// <code>
/// s_q = exp(time_r[bucket(now − t_q)] + lag_r[events since q] + value_r[bucket(value_q)])        q: the events the encoder reads, positive ones only
/// e_i = Σ_q s_q · A_r[h_q, i]                                                                     A_r: edges of relation r between items
/// score_i += trust · Σ_r (gate_r · user + bias_r) · log(1 + e_i)
/// </code>
/// In training a user's own part in the edges is left out and trust is 1. Vectors learn the training pairs by
/// heart and such edges cannot, so the gate learned beside them is too small for events that neither has seen:
/// trust makes up for it. It is a setting chosen on held-out events, as the weights of a stack of models are.
///
/// Message passing without a transformation on the way, as one step of SGC's and LightGCN's propagation (Wu et al., ICML 2019; He et al.,
/// SIGIR 2020), over a global item graph as GCE-GNN builds from all sessions (Wang et al., SIGIR 2020), aggregated by temporal attention.
/// The copy head is the same with A = identity. Relations: <see cref="TensorNames.NearbyCount"/> and what follows it; with two also
/// <see cref="TensorNames.AfterCount"/>. Immutable and thread-safe; no allocation per call. O(events read × neighbours + items).
/// </summary>
public sealed class NeighbourHead
{
    private readonly SparseRows[] _edges;
    private readonly float[] _time, _lag, _value, _gate, _bias;
    private readonly float _trust;
    private readonly int _timeRows, _lagRows, _valueRows, _dim;
    private readonly IReadOnlyList<float> _weights;

    /// <param name="artifact">Holds the tensors.</param>
    /// <param name="prefix">Of the member's tensor names; the edges are shared by all members.</param>
    public NeighbourHead(ModelArtifact artifact, string prefix)
    {
        var config = artifact.Manifest.Config.Encoder!;
        (_timeRows, _lagRows, _valueRows, _dim) = (config.TimeRows, config.MaxHistory, config.ValueRows, config.Dim);
        _trust = config.HopTrust ?? 1;
        _edges = [.. Enumerable.Range(0, config.Hops).Select(r => Edges(artifact, r))];
        _time = artifact.Require(prefix + TensorNames.HopTime, config.Hops, _timeRows);
        _lag = artifact.Require(prefix + TensorNames.HopLag, config.Hops, _lagRows);
        _value = artifact.Require(prefix + TensorNames.HopValue, config.Hops, _valueRows);
        _gate = artifact.Require(prefix + TensorNames.HopGate, config.Hops, _dim);
        _bias = artifact.Require(prefix + TensorNames.HopBias, config.Hops);
        _weights = artifact.Manifest.Config.EventWeights;
    }

    /// <summary>Adds to the scores.</summary>
    /// <param name="history">Model item indices.</param>
    /// <param name="nowMs">The moment of the question.</param>
    /// <param name="encoder">Holds the rows of the history the encoder has read.</param>
    /// <param name="user">The user's vector.</param>
    /// <param name="evidence">Scratch, as long as the scores.</param>
    /// <param name="scores">One per item of the model.</param>
    public void Add(ReadOnlySpan<UserEvent> history, long nowMs, EncoderWorkspace encoder, ReadOnlySpan<float> user, Span<float> evidence, Span<float> scores)
    {
        for (var r = 0; r < _edges.Length; r++)
        {
            evidence.Clear();
            for (var t = 0; t < encoder.Count; t++)
            {
                var e = history[encoder.Source[t]];
                var strength = Strength(r, e, encoder.Count - 1 - t, nowMs);
                if (strength > 0)
                    _edges[r].AddRow(e.Item, strength, evidence);
            }

            TensorPrimitives.LogP1(evidence, evidence);
            TensorPrimitives.MultiplyAdd(evidence, Gate(r, user), scores, scores);
        }
    }

    /// <summary>
    /// Which share of the neighbours' evidence for an item, relations with a negative gate left out, comes
    /// from the events on one item of the history; 0 where there is none. O(events read · log neighbours).
    /// </summary>
    public float Share(ReadOnlySpan<UserEvent> history, long nowMs, EncoderWorkspace encoder, ReadOnlySpan<float> user, int item, int source)
    {
        float own = 0, all = 0;
        for (var r = 0; r < _edges.Length; r++)
        {
            var gate = MathF.Max(0, Gate(r, user));
            for (var t = 0; t < encoder.Count; t++)
            {
                var e = history[encoder.Source[t]];
                var part = gate * Strength(r, e, encoder.Count - 1 - t, nowMs) * _edges[r].At(e.Item, item);
                all += part;
                own += e.Item == source ? part : 0;
            }
        }

        return all > 0 ? own / all : 0;
    }

    /// <summary>How strongly an event speaks; 0 for what is no history of the item graph, such as a return.</summary>
    private float Strength(int relation, in UserEvent e, int lag, long nowMs)
    {
        if (e.Type >= _weights.Count || _weights[e.Type] <= 0)
            return 0;
        return MathF.Exp(
            _time[(relation * _timeRows) + Buckets.Time(nowMs - e.TimeMs)]
            + _lag[(relation * _lagRows) + lag]
            + _value[(relation * _valueRows) + Buckets.Value(e.Value)]);
    }

    private float Gate(int relation, ReadOnlySpan<float> user) =>
        _trust * (TensorPrimitives.Dot(user[.._dim], _gate.AsSpan(relation * _dim, _dim)) + _bias[relation]);

    private static SparseRows Edges(ModelArtifact artifact, int relation)
    {
        var rows = relation switch
        {
            0 => SparseRows.Read(artifact, TensorNames.NearbyCount, TensorNames.NearbyIndex, TensorNames.NearbyValue),
            1 => SparseRows.Read(artifact, TensorNames.AfterCount, TensorNames.AfterIndex, TensorNames.AfterValue),
            _ => throw new InvalidDataException(
                $"model {artifact.Manifest.Name} v{artifact.Manifest.Version} has {relation + 1} or more hops; this version knows 2 relations"),
        };
        return rows
            ?? throw new InvalidDataException(
                $"model {artifact.Manifest.Name} v{artifact.Manifest.Version} lacks the item graph's relation {relation}");
    }
}
