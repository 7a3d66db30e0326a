using System.Collections;
using static TorchSharp.torch;

namespace TorchSharp.Modules;

/// <summary>Modules one after the other; their names are their positions.</summary>
public sealed class Sequential : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor>[] _modules;

    internal Sequential(nn.Module<Tensor, Tensor>[] modules)
        : base(nameof(Sequential))
    {
        _modules = [.. modules];
        for (var i = 0; i < _modules.Length; i++)
            register_module($"{i}", _modules[i]);
    }

    public override Tensor forward(Tensor input)
    {
        if (_modules.Length == 0)
            return NativeMethods.srt_alias(input);
        var x = input;
        foreach (var module in _modules)
        {
            var y = module.call(x);
            if (!ReferenceEquals(x, input))
                x.Dispose(); // An intermediate that nobody else can have; the graph keeps what it needs.
            x = y;
        }

        return x;
    }
}

/// <summary>A list of modules, registered under their positions.</summary>
public sealed class ModuleList<T> : nn.Module, IReadOnlyList<T>
    where T : nn.Module
{
    private readonly List<T> _modules = [];

    public ModuleList(params T[] modules)
        : base("ModuleList")
    {
        foreach (var module in modules)
            Add(module);
    }

    public int Count => _modules.Count;

    public T this[int index] => _modules[index];

    public void Add(T item)
    {
        register_module($"{_modules.Count}", item);
        _modules.Add(item);
    }

    public IEnumerator<T> GetEnumerator() => _modules.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
