using System.Numerics.Tensors;
using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>
/// The temporal user encoder's forward pass in managed code, for the newest position only:
/// <code>
/// x[t] = item[t]·√d + pos + type + value + gap + ask + Σ attributes    t = 0 (oldest) … T−1 (newest), rows of <see cref="UserSequence"/>
/// x   += o(attention(ln1 x))      causal, scale 1/√(d/heads)      each block, pre-LN
/// x   += ffn1(gelu(ffn0(ln2 x)))
/// user = ln(x[T−1])
/// </code>
/// The last block needs keys and values of all positions but only the newest query. Immutable and thread-safe; all scratch is the caller's
/// <see cref="EncoderWorkspace"/>; no allocation per call. Cost about T·d·(12·d)·(blocks − 1) + 2·T·d² multiply-adds.
/// Source: pre-LN transformer of SASRec's kind (Kang and McAuley, 2018), input rows as in the design.
/// </summary>
public sealed class UserEncoder
{
    private readonly EncoderConfig _config;
    private readonly int _items;
    private readonly float[] _itemVectors;
    private readonly float[] _pos, _type, _value, _gap, _ask, _attribute;
    private readonly float[] _lnWeight, _lnBias;
    private readonly Block[] _blocks;

    /// <exception cref="InvalidDataException">A tensor is missing or does not fit <see cref="ModelConfig.Encoder"/>.</exception>
    /// <param name="artifact">Holds the tensors.</param>
    /// <param name="member">Which encoder of the graph channel, 0-based; see <see cref="ModelConfig.Members"/>.</param>
    public UserEncoder(ModelArtifact artifact, int member = 0)
    {
        var prefix = TensorNames.MemberPrefix(member);
        _config = artifact.Manifest.Config.Encoder
            ?? throw new InvalidDataException($"model {artifact.Manifest.Name} v{artifact.Manifest.Version} has no encoder in its config");
        if (_config.Dim % _config.Heads != 0)
            throw new InvalidDataException($"encoder dim {_config.Dim} is not a multiple of heads {_config.Heads}");
        var d = _config.Dim;
        _items = artifact.Items.Length;
        _itemVectors = artifact.Require(prefix + TensorNames.ItemVectors, _items, d);
        _pos = artifact.Require(prefix + TensorNames.UserPos, _config.MaxHistory, d);
        _type = artifact.Require(prefix + TensorNames.UserType, _config.TypeRows, d);
        _value = artifact.Require(prefix + TensorNames.UserValue, _config.ValueRows, d);
        _gap = artifact.Require(prefix + TensorNames.UserGap, _config.TimeRows, d);
        _ask = artifact.Require(prefix + TensorNames.UserAsk, _config.TimeRows, d);
        _attribute = _config.AttributeRows == 0 ? [] : artifact.Require(prefix + TensorNames.UserAttribute, _config.AttributeRows, d);
        _lnWeight = artifact.Require(prefix + "user.ln.weight", d);
        _lnBias = artifact.Require(prefix + "user.ln.bias", d);
        _blocks = [.. Enumerable.Range(0, _config.Blocks).Select(i => new Block(artifact, $"{prefix}user.blocks.{i}.", _config))];
    }

    public EncoderConfig Config => _config;

    /// <summary>
    /// The user's vector [dim] into <paramref name="user"/>. False (and nothing written) when no event of the history is on an item of the model.
    /// Leaves the newest query's attention, averaged over heads of the last block, in <see cref="EncoderWorkspace.Attention"/>.
    /// </summary>
    /// <param name="history">Model item indices, newest last.</param>
    /// <param name="nowMs">The moment of the question.</param>
    /// <param name="workspace">Not shared between threads at one time.</param>
    /// <param name="user">Output, at least dim long.</param>
    /// <param name="attributes">Rows of the user's attributes; rows the table does not have are skipped.</param>
    public bool Encode(
        ReadOnlySpan<UserEvent> history, long nowMs, EncoderWorkspace workspace, Span<float> user, ReadOnlySpan<int> attributes = default)
    {
        workspace.Fit(_config);
        var count = UserSequence.Fill(history, nowMs, _items, workspace.Rows, workspace.Source);
        workspace.Count = count;
        if (count == 0)
            return false;
        var x = workspace.X.AsSpan(0, count * _config.Dim);
        Embed(workspace.Rows.AsSpan(0, count), attributes, x);
        for (var b = 0; b < _blocks.Length; b++)
            _blocks[b].Forward(x, count, newestOnly: b == _blocks.Length - 1, workspace);
        Kernels.LayerNorm(x[^_config.Dim..], _lnWeight, _lnBias, user[.._config.Dim]);
        return true;
    }

    private void Embed(ReadOnlySpan<UserSequence.Row> rows, ReadOnlySpan<int> attributes, Span<float> x)
    {
        var d = _config.Dim;
        var scale = MathF.Sqrt(d);
        for (var t = 0; t < rows.Length; t++)
        {
            var row = rows[t];
            var y = x.Slice(t * d, d);
            TensorPrimitives.MultiplyAdd(_itemVectors.AsSpan(row.Item * d, d), scale, _pos.AsSpan(t * d, d), y);
            TensorPrimitives.Add(y, _type.AsSpan(Math.Min(row.Type, _config.TypeRows - 1) * d, d), y);
            TensorPrimitives.Add(y, _value.AsSpan(row.Value * d, d), y);
            TensorPrimitives.Add(y, _gap.AsSpan(row.Gap * d, d), y);
            TensorPrimitives.Add(y, _ask.AsSpan(row.Ask * d, d), y);
            foreach (var attribute in attributes)
            {
                if ((uint)attribute < (uint)_config.AttributeRows)
                    TensorPrimitives.Add(y, _attribute.AsSpan(attribute * d, d), y);
            }
        }
    }

    private sealed class Block
    {
        private readonly int _d, _heads, _ffn;
        private readonly float[] _ln1W, _ln1B, _ln2W, _ln2B;
        private readonly float[] _qW, _qB, _kvW, _kvB, _oW, _oB, _f0W, _f0B, _f1W, _f1B;

        public Block(ModelArtifact artifact, string prefix, EncoderConfig config)
        {
            (_d, _heads, _ffn) = (config.Dim, config.Heads, config.Ffn);
            float[] Vector(string name, int n) => artifact.Require(prefix + name, n);
            float[] Matrix(string name, int o, int i) => artifact.Require(prefix + name, o, i);
            (_ln1W, _ln1B) = (Vector("ln1.weight", _d), Vector("ln1.bias", _d));
            (_ln2W, _ln2B) = (Vector("ln2.weight", _d), Vector("ln2.bias", _d));
            _qW = Kernels.Transpose(Matrix("attn.q.weight", _d, _d), _d, _d);
            _qB = Vector("attn.q.bias", _d);
            float[] kv = [.. Matrix("attn.k.weight", _d, _d), .. Matrix("attn.v.weight", _d, _d)];
            _kvW = Kernels.Transpose(kv, 2 * _d, _d);
            _kvB = [.. Vector("attn.k.bias", _d), .. Vector("attn.v.bias", _d)];
            _oW = Kernels.Transpose(Matrix("attn.o.weight", _d, _d), _d, _d);
            _oB = Vector("attn.o.bias", _d);
            _f0W = Kernels.Transpose(Matrix("ffn.0.weight", _ffn, _d), _ffn, _d);
            _f0B = Vector("ffn.0.bias", _ffn);
            _f1W = Kernels.Transpose(Matrix("ffn.1.weight", _d, _ffn), _d, _ffn);
            _f1B = Vector("ffn.1.bias", _d);
        }

        /// <summary>In place on x [count, d]. With newestOnly just the last row of x is brought up to date.</summary>
        public void Forward(Span<float> x, int count, bool newestOnly, EncoderWorkspace workspace)
        {
            var first = newestOnly ? count - 1 : 0;
            var rows = count - first;
            Span<float> normed = workspace.Normed, query = workspace.Query, keyValue = workspace.KeyValue, mixed = workspace.Mixed;
            for (var t = 0; t < count; t++)
                Kernels.LayerNorm(x.Slice(t * _d, _d), _ln1W, _ln1B, normed.Slice(t * _d, _d));
            Kernels.Linear(count, _d, 2 * _d, normed, _d, _kvW, _kvB, keyValue, 2 * _d, accumulate: false);
            Kernels.Linear(rows, _d, _d, normed[(first * _d)..], _d, _qW, _qB, query, _d, accumulate: false);
            for (var t = first; t < count; t++)
                Attend(query.Slice((t - first) * _d, _d), keyValue, t + 1, workspace, mixed.Slice((t - first) * _d, _d));
            var tail = x[(first * _d)..];
            Kernels.Linear(rows, _d, _d, mixed, _d, _oW, _oB, tail, _d, accumulate: true);

            for (var t = 0; t < rows; t++)
                Kernels.LayerNorm(tail.Slice(t * _d, _d), _ln2W, _ln2B, normed.Slice(t * _d, _d));
            var inner = workspace.Inner.AsSpan(0, rows * _ffn);
            Kernels.Linear(rows, _d, _ffn, normed, _d, _f0W, _f0B, inner, _ffn, accumulate: false);
            Kernels.Gelu(inner);
            Kernels.Linear(rows, _ffn, _d, inner, _ffn, _f1W, _f1B, tail, _d, accumulate: true);
        }

        /// <summary>One query over positions 0..visible−1; the weights stay in workspace.Attention, averaged over heads.</summary>
        private void Attend(ReadOnlySpan<float> query, ReadOnlySpan<float> keyValue, int visible, EncoderWorkspace workspace, Span<float> mixed)
        {
            var width = _d / _heads;
            var scale = 1f / MathF.Sqrt(width);
            var attention = workspace.Attention.AsSpan(0, visible);
            var weights = workspace.Weights.AsSpan(0, visible);
            attention.Clear();
            mixed.Clear();
            for (var h = 0; h < _heads; h++)
            {
                var q = query.Slice(h * width, width);
                for (var s = 0; s < visible; s++)
                    weights[s] = TensorPrimitives.Dot(q, keyValue.Slice((s * 2 * _d) + (h * width), width)) * scale;
                TensorPrimitives.SoftMax(weights, weights);
                var y = mixed.Slice(h * width, width);
                for (var s = 0; s < visible; s++)
                    TensorPrimitives.FusedMultiplyAdd(keyValue.Slice((s * 2 * _d) + _d + (h * width), width), weights[s], y, y);
                TensorPrimitives.FusedMultiplyAdd(weights, 1f / _heads, attention, attention);
            }
        }
    }
}

/// <summary>
/// Scratch of <see cref="UserEncoder.Encode"/>; grows to the largest configuration
/// seen and is then reused without allocation. One thread at a time.
/// </summary>
public sealed class EncoderWorkspace
{
    internal UserSequence.Row[] Rows { get; private set; } = [];

    /// <summary>Position in the history of each row used, oldest first; valid up to <see cref="Count"/>.</summary>
    public int[] Source { get; private set; } = [];

    /// <summary>Attention of the newest position on each row, averaged over the last block's heads; sums to 1 over <see cref="Count"/>.</summary>
    public float[] Attention { get; private set; } = [];

    /// <summary>Rows used by the last call.</summary>
    public int Count { get; internal set; }

    internal float[] X { get; private set; } = [];
    internal float[] Normed { get; private set; } = [];
    internal float[] Query { get; private set; } = [];
    internal float[] KeyValue { get; private set; } = [];
    internal float[] Mixed { get; private set; } = [];
    internal float[] Inner { get; private set; } = [];
    internal float[] Weights { get; private set; } = [];

    internal void Fit(EncoderConfig config)
    {
        int n = config.MaxHistory, d = config.Dim;
        if (Rows.Length != n)
            (Rows, Source, Attention, Weights) = (new UserSequence.Row[n], new int[n], new float[n], new float[n]);
        if (X.Length != n * d)
        {
            (X, Normed, Query, Mixed) = (new float[n * d], new float[n * d], new float[n * d], new float[n * d]);
            KeyValue = new float[n * 2 * d];
        }

        if (Inner.Length != n * config.Ffn)
            Inner = new float[n * config.Ffn];
    }
}
