using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.Trainer.Text;

/// <summary>Low-rank adaptation of the query and value projections.</summary>
public sealed record LoraOptions
{
    /// <summary>Rank r of the update: 2·r·H extra weights per adapted projection. Default 8.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>The update is scaled by Alpha / Rank, so that another rank needs no other learning rate. Default 16.</summary>
    public double Alpha { get; init; } = 16;
}

/// <summary>
/// What is learned beside a frozen projection (LoRA, Hu et al., ICLR 2022): y = W x + b + (α/r) B (A x). x [.., in] → the update [.., out].
/// A starts normal(0, 1/r), B at 0, so that an untrained adapter changes nothing. Names as in the usual adapter files: lora_A.weight [r, in],
/// lora_B.weight [out, r].
/// </summary>
public sealed class LoraAdapter : Module<Tensor, Tensor>
{
    private readonly double _scale;
    private readonly Parameter a;
    private readonly Parameter b;

    public LoraAdapter(long inputs, long outputs, LoraOptions options)
        : base("lora")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Rank, 1);
        _scale = options.Alpha / options.Rank;
        a = new Parameter(torch.randn(new[] { options.Rank, inputs }, dtype: ScalarType.Float32) * (1.0 / options.Rank));
        b = new Parameter(torch.zeros(new[] { outputs, options.Rank }, dtype: ScalarType.Float32));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => functional.linear(functional.linear(x, a), b).mul(_scale);

    /// <summary>(α/r) B A [out, in]: added to W it gives the same projection without an adapter.</summary>
    public Tensor Delta() => b.mm(a).mul(_scale);

    internal (string Name, Parameter Parameter)[] Named(string projection) => [(projection + ".lora_A.weight", a), (projection + ".lora_B.weight", b)];
}
