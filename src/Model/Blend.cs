using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace StreamRec.Model;

/// <summary>
/// The learned mix of the channels: score = linear · x + out · gelu(hidden · x + bias), one row x per candidate. Features, in order:
/// z-score of each channel (over all items, unknown ones at the minimum, counts as log(1 + n) first, clipped to ±20; 0 when the channel has no
/// opinion), log(1 + own count), log(1 + days since the user's last event on it), 1 if it is an own item, log(1 + history length),
/// log(1 + days since the newest event). The last two are the same for all candidates: they act through the hidden units. Then the features of
/// <see cref="BlendFeatures"/>, which blends learned before there were any do not have. Immutable.
/// </summary>
public sealed class Blend
{
    internal const float Clip = 20;

    private readonly float[] _linear, _hidden, _hiddenBias, _out;

    /// <summary>The parameters of one learned net.</summary>
    internal sealed record Weights(float[] Linear, float[] Hidden, float[] HiddenBias, float[] Out);

    /// <param name="linear">[features].</param>
    /// <param name="hidden">[features, units]; empty for a linear blend.</param>
    /// <param name="hiddenBias">[units].</param>
    /// <param name="output">[units].</param>
    public Blend(float[] linear, float[] hidden, float[] hiddenBias, float[] output)
    {
        if (hidden.Length != linear.Length * output.Length || hiddenBias.Length != output.Length)
        {
            throw new ArgumentException(
                $"blend of {linear.Length} features and {output.Length} hidden units "
                + $"has {hidden.Length} hidden weights and {hiddenBias.Length} biases",
                nameof(hidden));
        }
        (_linear, _hidden, _hiddenBias, _out) = (linear, hidden, hiddenBias, output);
    }

    public int Features => _linear.Length;

    public int HiddenUnits => _out.Length;

    /// <summary>The linear weights, in feature order: what a report shows.</summary>
    public ReadOnlySpan<float> Linear => _linear;

    /// <summary>
    /// Fixed weights for a model whose blend has not been learned (too few events to
    /// learn from): near what a coordinate search found on two data sets.
    /// </summary>
    public static Blend Default(IReadOnlyList<string> channels)
    {
        var linear = new float[channels.Count + BlendFeatures.Count];
        for (var c = 0; c < channels.Count; c++)
        {
            linear[c] = channels[c] switch
            {
                ChannelNames.Personal => 2.5f, // without effect where seen items are excluded
                ChannelNames.Gnn => 1.4f,
                ChannelNames.Ease or ChannelNames.ItemKnn => 1f,
                ChannelNames.EaseLong or ChannelNames.Nearby => 0.2f,
                ChannelNames.Popularity => 0.7f,
                ChannelNames.Walk => 0.5f,
                ChannelNames.Markov or ChannelNames.Trending => 0.2f,
                ChannelNames.Text => 0.1f,
                _ => 0f,
            };
        }

        return new Blend(linear, [], [], []);
    }

    /// <summary>Null when the artifact holds no learned blend.</summary>
    public static Blend? Read(ModelArtifact artifact)
    {
        if (!artifact.Tensors.ContainsKey(TensorNames.BlendLinear))
            return null;
        var output = artifact.Require(TensorNames.BlendOut, -1);
        var features = artifact.Require(TensorNames.BlendLinear, -1).Length;
        var extra = features - artifact.Manifest.Config.Channels.Count;
        if (extra is not (BlendFeatures.FirstCount or BlendFeatures.Count))
        {
            throw new InvalidDataException(
                $"model {artifact.Manifest.Name} v{artifact.Manifest.Version}: "
                + $"the blend reads {features} features, needed {artifact.Manifest.Config.Channels.Count + BlendFeatures.Count}");
        }

        return new Blend(
            artifact.Require(TensorNames.BlendLinear, features), artifact.Require(TensorNames.BlendHidden, features, output.Length),
            artifact.Require(TensorNames.BlendHiddenBias, output.Length), output);
    }

    public void Write(IDictionary<string, (long[] Shape, float[] Data)> tensors)
    {
        tensors[TensorNames.BlendLinear] = ([Features], _linear);
        tensors[TensorNames.BlendHidden] = ([Features, HiddenUnits], _hidden);
        tensors[TensorNames.BlendHiddenBias] = ([HiddenUnits], _hiddenBias);
        tensors[TensorNames.BlendOut] = ([HiddenUnits], _out);
    }

    /// <summary>Scores of <paramref name="scores"/>.Length candidates.</summary>
    /// <param name="features">[candidates, features].</param>
    /// <param name="hidden">Scratch, candidates × hidden units.</param>
    /// <param name="scores">Output.</param>
    public void Score(ReadOnlySpan<float> features, Span<float> hidden, Span<float> scores)
    {
        int n = scores.Length, f = Features, h = HiddenUnits;
        for (var i = 0; i < n; i++)
            scores[i] = TensorPrimitives.Dot(features.Slice(i * f, f), _linear);
        if (h == 0 || n == 0)
            return;
        hidden = hidden[..(n * h)];
        Kernels.Linear(n, f, h, features, f, _hidden, _hiddenBias, hidden, h, accumulate: false);
        Kernels.Gelu(hidden);
        for (var i = 0; i < n; i++)
            scores[i] += TensorPrimitives.Dot(hidden.Slice(i * h, h), _out);
    }

    /// <summary>Turns raw channel scores into z-scores in place; returns the floor, the z-score of the worst known (and of every unknown) item.</summary>
    internal static float Standardise(Span<float> scores, bool isCount)
    {
        if (isCount)
        {
            TensorPrimitives.Max(scores, 0f, scores);
            TensorPrimitives.LogP1(scores, scores);
        }

        var floor = FillUnknown(scores);
        var mean = TensorPrimitives.Sum<float>(scores) / scores.Length;
        TensorPrimitives.Subtract(scores, mean, scores);
        var deviation = MathF.Sqrt(TensorPrimitives.SumOfSquares<float>(scores) / scores.Length);
        if (!(deviation > 1e-12f))
        {
            scores.Clear();
            return 0;
        }

        TensorPrimitives.Multiply(scores, 1f / deviation, scores);
        TensorPrimitives.Clamp(scores, -Clip, Clip, scores);
        return Math.Clamp((floor - mean) / deviation, -Clip, Clip);
    }

    /// <summary>Puts unknown items at the minimum of the known ones and returns it; 0 everywhere when none is known.</summary>
    private static float FillUnknown(Span<float> scores)
    {
        var unknown = new Vector<float>(Channel.Unknown);
        var infinity = new Vector<float>(float.PositiveInfinity);
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(scores);
        var least = infinity;
        foreach (var v in vectors)
            least = Vector.Min(least, Vector.ConditionalSelect(Vector.Equals(v, unknown), infinity, v));
        var floor = float.PositiveInfinity;
        for (var i = 0; i < Vector<float>.Count; i++)
            floor = Math.Min(floor, least[i]);
        var tail = scores[(vectors.Length * Vector<float>.Count)..];
        foreach (var x in tail)
            floor = x == Channel.Unknown ? floor : Math.Min(floor, x);
        if (float.IsPositiveInfinity(floor))
            floor = 0;
        TensorPrimitives.Max(scores, floor, scores);
        return floor;
    }
}
