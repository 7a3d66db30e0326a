using TorchSharp.Modules;

namespace TorchSharp;

/// <summary>The moments of one parameter group of Adam or AdamW and one native call per step over all its parameters.</summary>
internal sealed class AdamState : IDisposable
{
    private readonly Parameter[] _parameters;
    private readonly torch.Tensor[] _m;
    private readonly torch.Tensor[] _v;
    private long _step;

    public AdamState(Parameter[] parameters)
    {
        _parameters = parameters;
        _m = Array.ConvertAll(parameters, p => torch.zeros_like(p).DetachFromDisposeScope());
        _v = Array.ConvertAll(parameters, p => torch.zeros_like(p).DetachFromDisposeScope());
    }

    public void Step(AdamSettings settings)
    {
        settings.Step = ++_step;
        NativeMethods.srt_adam(NativeMethods.Handles(_parameters), NativeMethods.Handles(_m), NativeMethods.Handles(_v), _parameters.Length, settings);
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        foreach (var tensor in _m.Concat(_v))
            tensor.Dispose();
    }
}
