using StreamRec.Trainer.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Text;

/// <summary>
/// One post-LN transformer block of BERT (Devlin et al. 2018):
/// <code>
/// a = LN1(x + O(softmax(Q x (K x)ᵀ / √dh + mask) V x));  y = LN2(a + D(gelu_erf(U a)))
/// </code>
/// x [B, L, H] → y [B, L, H]; heads of size dh = H / heads.
/// </summary>
public sealed class BertLayer : Module<Tensor, Tensor, Tensor>
{
    private readonly int _heads;
    private readonly double _rate;
    private readonly MaskDropout _dropout;
    private readonly Linear query;
    private readonly Linear key;
    private readonly Linear value;
    private readonly Linear attended;
    private readonly LayerNorm attended_norm;
    private readonly Linear up;
    private readonly Linear down;
    private readonly LayerNorm norm;
    private readonly LoraAdapter? query_lora;
    private readonly LoraAdapter? value_lora;

    public BertLayer(string name, BertConfig config, MaskDropout dropout, LoraOptions? lora = null)
        : base(name)
    {
        (_heads, _rate, _dropout) = (config.Heads, config.Dropout, dropout);
        var hidden = config.HiddenSize;
        (query, key, value, attended) = (Linear(hidden, hidden), Linear(hidden, hidden), Linear(hidden, hidden), Linear(hidden, hidden));
        (up, down) = (Linear(hidden, config.IntermediateSize), Linear(config.IntermediateSize, hidden));
        attended_norm = LayerNorm(hidden, eps: config.LayerNormEps);
        norm = LayerNorm(hidden, eps: config.LayerNormEps);
        if (lora is not null)
            (query_lora, value_lora) = (new LoraAdapter(hidden, hidden, lora), new LoraAdapter(hidden, hidden, lora));
        RegisterComponents();
    }

    /// <param name="input1">x [B, L, H].</param>
    /// <param name="input2">padding [B, 1, L], true where a token is padding.</param>
    public override Tensor forward(Tensor input1, Tensor input2)
    {
        var (batch, length, hidden) = (input1.shape[0], input1.shape[1], input1.shape[2]);
        var size = hidden / _heads;
        Tensor Heads(Linear projection, LoraAdapter? adapter)
        {
            var rows = projection.forward(input1);
            if (adapter is not null)
                rows = rows.add(adapter.forward(input1));
            return rows.view(batch, length, _heads, size).transpose(1, 2).reshape(batch * _heads, length, size);
        }

        var scores = Heads(query, query_lora).bmm(Heads(key, null).transpose(1, 2)).mul(1.0 / Math.Sqrt(size)).view(batch, _heads, length, length);
        // A finite minimum: a row of padding only must not become NaN.
        var weights = _dropout.Apply(scores.masked_fill(input2.unsqueeze(1), -1e9).softmax(-1), _rate, training);
        var context = weights.view(batch * _heads, length, length).bmm(Heads(value, value_lora))
            .view(batch, _heads, length, size).transpose(1, 2).reshape(batch, length, hidden);
        var a = attended_norm.forward(input1.add(_dropout.Apply(attended.forward(context), _rate, training)));
        var wide = functional.gelu(up.forward(a));
        return norm.forward(a.add(_dropout.Apply(down.forward(wide), _rate, training)));
    }

    /// <summary>The block's weights under their names in Hugging Face files, without the prefix up to the layer's number.</summary>
    internal IEnumerable<(string Name, Parameter Parameter)> Named() =>
    [
        .. Of("attention.self.query", query), .. Of("attention.self.key", key), .. Of("attention.self.value", value),
        .. Of("attention.output.dense", attended), .. Of("attention.output.LayerNorm", attended_norm),
        .. Of("intermediate.dense", up), .. Of("output.dense", down), .. Of("output.LayerNorm", norm),
    ];

    /// <summary>The adapters' weights, likewise; none without adapters.</summary>
    internal IEnumerable<(string Name, Parameter Parameter)> NamedAdapters() =>
        query_lora is null ? [] : [.. query_lora.Named("attention.self.query"), .. value_lora!.Named("attention.self.value")];

    /// <summary>What a weight becomes when the adapters are merged into it: itself, or W + (α/r) B A.</summary>
    internal Tensor Merged(string name, Parameter weight) => name switch
    {
        "attention.self.query.weight" when query_lora is not null => weight.add(query_lora.Delta()),
        "attention.self.value.weight" when value_lora is not null => weight.add(value_lora.Delta()),
        _ => weight,
    };

    internal static (string, Parameter)[] Of(string name, Linear layer) => [(name + ".weight", layer.weight!), (name + ".bias", layer.bias!)];

    internal static (string, Parameter)[] Of(string name, LayerNorm layer) => [(name + ".weight", layer.weight!), (name + ".bias", layer.bias!)];
}
