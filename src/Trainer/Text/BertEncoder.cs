using System.Globalization;
using StreamRec.Model;
using StreamRec.Trainer.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Text;

/// <summary>
/// BERT (Devlin et al. 2018) as Hugging Face's BertModel computes it: h⁰ = LN(word + position + type), then <see cref="BertLayer"/>s.
/// ids [B, L] Int64 → hidden states [B, L, H]. Weights load from and save to model.safetensors with Hugging Face's names (with or without the
/// prefix "bert."). The pooler of the checkpoint is kept where it has one.
/// </summary>
public sealed class BertEncoder : Module<Tensor, Tensor, Tensor>
{
    private readonly Embedding words;
    private readonly Embedding positions;
    private readonly Embedding types;
    private readonly LayerNorm embedded_norm;
    private readonly ModuleList<BertLayer> layers;
    private readonly Linear pooler;

    /// <param name="config">Shape.</param>
    /// <param name="lora">Adapters beside query and value of every layer; null for none.</param>
    public BertEncoder(BertConfig config, LoraOptions? lora = null)
        : base("bert")
    {
        Config = config;
        words = Embedding(config.VocabSize, config.HiddenSize);
        positions = Embedding(config.MaxPositions, config.HiddenSize);
        types = Embedding(config.TypeVocabSize, config.HiddenSize);
        embedded_norm = LayerNorm(config.HiddenSize, eps: config.LayerNormEps);
        layers = new ModuleList<BertLayer>([.. Enumerable.Range(0, config.Layers).Select(i => new BertLayer($"layer{i}", config, Dropout, lora))]);
        pooler = Linear(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    public BertConfig Config { get; }

    /// <summary>Where the masks of all layers come from; seed it before each training step.</summary>
    public MaskDropout Dropout { get; } = new();

    /// <summary>[vocabulary, H]: also the output weights of the masked language model.</summary>
    public Parameter WordEmbeddings => words.weight!;

    /// <param name="input1">ids [B, L].</param>
    /// <param name="input2">attention mask [B, L] Int64, 0 at padding.</param>
    /// <returns>Last hidden states [B, L, H].</returns>
    public override Tensor forward(Tensor input1, Tensor input2) => Layers(Embed(input1, null), input2)[^1];

    /// <summary>LN(word + position + type) [B, L, H]; token types default to 0.</summary>
    public Tensor Embed(Tensor ids, Tensor? tokenTypes)
    {
        var length = ids.shape[1];
        var place = arange(length, dtype: ScalarType.Int64, device: ids.device).unsqueeze(0).expand(ids.shape[0], length);
        var sum = words.forward(ids).add(positions.forward(place)).add(types.forward(tokenTypes ?? zeros_like(ids)));
        return Dropout.Apply(embedded_norm.forward(sum), Config.Dropout, training);
    }

    /// <summary>The output of every layer [B, L, H], from embedded tokens.</summary>
    public Tensor[] Layers(Tensor embedded, Tensor mask)
    {
        var padding = mask.eq(0).unsqueeze(1);
        var outputs = new Tensor[layers.Count];
        var x = embedded;
        for (var i = 0; i < outputs.Length; i++)
            x = outputs[i] = layers[i].forward(x, padding);
        return outputs;
    }

    /// <summary>tanh(W h[CLS]) [B, H]: the checkpoint's own pooler, trained for next-sentence prediction.</summary>
    public Tensor Pooler(Tensor hidden) => pooler.forward(hidden.narrow(1, 0, 1).squeeze(1)).tanh();

    /// <summary>Mean over the tokens that are no padding, or the first token's state: [B, H].</summary>
    public static Tensor Pool(Tensor hidden, Tensor mask, Pooling pooling)
    {
        if (pooling == Pooling.FirstToken)
            return hidden.narrow(1, 0, 1).squeeze(1);
        var weight = mask.to_type(hidden.dtype).unsqueeze(2);
        return hidden.mul(weight).sum(1).div(weight.sum(1).clamp(min: 1e-9));
    }

    /// <summary>Rows divided by max(norm, 1e-12).</summary>
    public static Tensor Normalize(Tensor rows) => rows.div(rows.norm(1, true, 2f).clamp(min: 1e-12));

    /// <summary>All weights under Hugging Face's names, without prefix.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> NamedWeights()
    {
        yield return ("embeddings.word_embeddings.weight", words.weight!);
        yield return ("embeddings.position_embeddings.weight", positions.weight!);
        yield return ("embeddings.token_type_embeddings.weight", types.weight!);
        foreach (var weight in BertLayer.Of("embeddings.LayerNorm", embedded_norm))
            yield return weight;
        for (var i = 0; i < layers.Count; i++)
        {
            foreach (var (name, parameter) in layers[i].Named())
                yield return ($"encoder.layer.{i}.{name}", parameter);
        }

        foreach (var weight in BertLayer.Of("pooler.dense", pooler))
            yield return weight;
    }

    /// <summary>The adapters' weights under the names of adapter files; none without adapters.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> NamedAdapters() =>
        Enumerable.Range(0, layers.Count).SelectMany(i => layers[i].NamedAdapters().Select(w => ($"encoder.layer.{i}.{w.Name}", w.Parameter)));

    /// <summary>
    /// Decides what is trained: with adapters only those, else everything but the pooler; in either case nothing of the first
    /// <paramref name="frozenLayers"/> layers, and of the embeddings nothing as soon as a layer is frozen. No gradient is computed for the rest.
    /// </summary>
    /// <returns>What is left to train.</returns>
    public IReadOnlyList<Parameter> Freeze(int frozenLayers)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frozenLayers, layers.Count);
        bool InFrozenLayer(string name) => Enumerable.Range(0, frozenLayers).Any(i => name.StartsWith($"encoder.layer.{i}.", StringComparison.Ordinal));
        bool IsFrozen(string name) => InFrozenLayer(name) || (frozenLayers > 0 && name.StartsWith("embeddings.", StringComparison.Ordinal));
        var adapters = NamedAdapters().ToArray();
        var trained = new List<Parameter>();
        foreach (var (name, parameter) in NamedWeights().Concat(adapters))
        {
            var adapter = name.Contains(".lora_", StringComparison.Ordinal);
            var train = !IsFrozen(name) && !name.StartsWith("pooler.", StringComparison.Ordinal) && (adapters.Length == 0 || adapter);
            parameter.requires_grad = train;
            if (train)
                trained.Add(parameter);
        }

        return trained;
    }

    /// <summary>
    /// Copies the adapters of a file in, as <see cref="ExportAdapters"/> and
    /// other LoRA tools write them (with or without their usual prefix).
    /// </summary>
    /// <exception cref="InvalidDataException">An adapter is missing or of another shape.</exception>
    public void LoadAdapters(SafeTensors file)
    {
        var prefix = file.Tensors.Keys.Any(k => k.StartsWith("base_model.model.", StringComparison.Ordinal)) ? "base_model.model." : "";
        using var grad = no_grad();
        foreach (var (name, parameter) in NamedAdapters())
            Copy(file, prefix + name, parameter);
    }

    /// <summary>The adapters alone, ready for <see cref="SafeTensors.Write"/>.</summary>
    public Dictionary<string, (long[] Shape, float[] Data)> ExportAdapters() => Export(NamedAdapters().Select(w => (w.Name, (Tensor)w.Parameter)));

    /// <summary>Copies the weights of a safetensors file in. Float16 and bfloat16 files are widened.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="embeddings">False for a file of the layers only.</param>
    /// <exception cref="InvalidDataException">A weight is missing (the pooler may be) or has another shape than config.json says.</exception>
    public void Load(SafeTensors file, bool embeddings = true)
    {
        var prefix = file.Tensors.ContainsKey("bert.encoder.layer.0.attention.self.query.weight") ? "bert." : "";
        using var grad = no_grad();
        foreach (var (name, parameter) in NamedWeights())
        {
            if (!embeddings && name.StartsWith("embeddings.", StringComparison.Ordinal))
                continue;
            var optional = name.StartsWith("pooler.", StringComparison.Ordinal);
            if (!optional || file.Tensors.ContainsKey(prefix + name))
                Copy(file, prefix + name, parameter);
        }
    }

    /// <summary>The weights as float32, adapters merged in, ready for <see cref="SafeTensors.Write"/>.</summary>
    public Dictionary<string, (long[] Shape, float[] Data)> Export()
    {
        using var grad = no_grad();
        using var scope = NewDisposeScope();
        return Export(NamedWeights().Select(w =>
        {
            var layer = w.Name.Split('.', 4);
            return (w.Name, layer[0] == "encoder" ? layers[int.Parse(layer[2], CultureInfo.InvariantCulture)].Merged(layer[3], w.Parameter) : w.Parameter);
        }));
    }

    private static Dictionary<string, (long[] Shape, float[] Data)> Export(IEnumerable<(string Name, Tensor Weight)> weights)
    {
        using var scope = NewDisposeScope();
        return weights.ToDictionary(
            w => w.Name,
            w => (w.Weight.shape, w.Weight.detach().cpu().to_type(ScalarType.Float32).contiguous().data<float>().ToArray()));
    }

    private static void Copy(SafeTensors file, string name, Parameter parameter)
    {
        if (!file.Tensors.TryGetValue(name, out var info))
            throw new InvalidDataException($"the weights have no tensor '{name}'");
        if (!info.Shape.SequenceEqual(parameter.shape))
        {
            throw new InvalidDataException(
                $"tensor '{name}' is [{string.Join(", ", info.Shape)}], the configuration wants [{string.Join(", ", parameter.shape)}]");
        }
        using var scope = NewDisposeScope();
        parameter.copy_(tensor(file.ReadFloat32(name), info.Shape));
    }
}

/// <summary>How token states become one vector.</summary>
public enum Pooling
{
    /// <summary>Mean over all tokens, [CLS] and [SEP] included, as sentence-transformers does.</summary>
    Mean,

    /// <summary>The state of [CLS].</summary>
    FirstToken,
}
