using System.Numerics.Tensors;
using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>
/// What the user's own edges say of an item beside its vector: attention cannot count, and on a shop most of what is bought was bought before.
/// <code>
/// e_i = Σ over the user's positive events on item i of exp(time[bucket(now − t)])
/// score_i += (gate · user + bias) · log(1 + e_i)
/// </code>
/// All of the user's events count, not only those the encoder reads. Immutable and thread-safe. O(history + items).
/// </summary>
public sealed class CopyHead
{
    private readonly float[] _strength, _gate;
    private readonly float _bias;
    private readonly IReadOnlyList<float> _weights;

    /// <param name="artifact">Holds the tensors.</param>
    /// <param name="prefix">Of the member's tensor names.</param>
    public CopyHead(ModelArtifact artifact, string prefix)
    {
        var config = artifact.Manifest.Config.Encoder!;
        _strength = Array.ConvertAll(artifact.Require(prefix + TensorNames.CopyTime, config.TimeRows), MathF.Exp);
        _gate = artifact.Require(prefix + TensorNames.CopyGate, 1, config.Dim);
        _bias = artifact.Require(prefix + TensorNames.CopyBias, 1)[0];
        _weights = artifact.Manifest.Config.EventWeights;
    }

    /// <summary>Adds to the scores of the items the user has touched.</summary>
    /// <param name="history">Model item indices.</param>
    /// <param name="nowMs">The moment of the question.</param>
    /// <param name="user">The user's vector.</param>
    /// <param name="evidence">Scratch, as long as the scores; zeros before and after.</param>
    /// <param name="scores">One per item of the model.</param>
    public void Add(ReadOnlySpan<UserEvent> history, long nowMs, ReadOnlySpan<float> user, Span<float> evidence, Span<float> scores)
    {
        var gate = TensorPrimitives.Dot(user, _gate) + _bias;
        foreach (var e in history)
        {
            if (Counts(e, scores.Length))
                evidence[e.Item] += _strength[Buckets.Time(nowMs - e.TimeMs)];
        }

        foreach (var e in history)
        {
            if (!Counts(e, scores.Length) || evidence[e.Item] == 0)
                continue;
            scores[e.Item] += gate * MathF.Log(1 + evidence[e.Item]);
            evidence[e.Item] = 0; // once per item
        }
    }

    private bool Counts(in UserEvent e, int items) => (uint)e.Item < (uint)items && e.Type < _weights.Count && _weights[e.Type] > 0;
}
