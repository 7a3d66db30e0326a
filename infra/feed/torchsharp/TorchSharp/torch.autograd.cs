namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>Adds the gradients of this scalar to the leaves' gradients.</summary>
        public void backward() => autograd.backward(this, false, false);

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor detach() => NativeMethods.srt_detach(this);

        public Tensor clone() => NativeMethods.srt_clone(this);
    }

    public static DisposeScope NewDisposeScope() => new();

    /// <summary>No graph is recorded on this thread until the result is disposed.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    public static class autograd
    {
        public static void backward(Tensor tensor, bool retain_graph = false, bool create_graph = false)
        {
            if (tensor.numel() != 1)
                throw new System.Runtime.InteropServices.ExternalException($"backward of shape [{string.Join(", ", tensor.shape)}]: only a scalar has a gradient by itself");
            NativeMethods.srt_backward([tensor.Handle], 1, retain_graph || create_graph ? 1 : 0, create_graph ? 1 : 0);
            GC.KeepAlive(tensor);
        }

        /// <summary>Gradients of the outputs (weighted by grad_outputs) with regard to the inputs; null for an unused input where allow_unused.</summary>
        public static IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            var result = new nint[inputs.Count];
            var seeds = grad_outputs is null ? [] : NativeMethods.Handles(grad_outputs);
            NativeMethods.srt_autograd_grad(
                NativeMethods.Handles(outputs), outputs.Count, NativeMethods.Handles(inputs), inputs.Count, seeds, seeds.Length,
                retain_graph || create_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, result);
            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            GC.KeepAlive(grad_outputs);
            return Array.ConvertAll(result, h => h == 0 ? null! : new Tensor(h));
        }
    }

    private sealed class GradMode : IDisposable
    {
        private readonly int _before = NativeMethods.srt_grad_mode();

        public GradMode(bool enabled) => NativeMethods.srt_set_grad_mode(enabled ? 1 : 0);

        public void Dispose() => NativeMethods.srt_set_grad_mode(_before);
    }
}
