using TorchSharp;

namespace StreamRec.Trainer;

/// <summary>What differs between TorchSharp 0.99 and 0.107 and cannot be written in one way: grad() became the property grad.</summary>
public static class TorchCompat
{
    private static readonly Func<torch.Tensor, torch.Tensor?> ReadGradient = Bind();

    /// <summary>The gradient backward left on a leaf; null when there is none. A new handle: dispose it or be in a scope.</summary>
    public static torch.Tensor? Gradient(this torch.Tensor tensor) => ReadGradient(tensor);

    private static Func<torch.Tensor, torch.Tensor?> Bind()
    {
        var getter = typeof(torch.Tensor).GetProperty("grad")?.GetGetMethod() ?? typeof(torch.Tensor).GetMethod("grad", Type.EmptyTypes)
            ?? throw new MissingMethodException("this TorchSharp's Tensor has neither a property nor a method grad");
        return getter.CreateDelegate<Func<torch.Tensor, torch.Tensor?>>();
    }
}
