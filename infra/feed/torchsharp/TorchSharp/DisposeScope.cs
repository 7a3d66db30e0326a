namespace TorchSharp;

/// <summary>
/// Owns every tensor made on its thread while it is the innermost scope, and disposes them with itself. Scopes nest per thread.
/// Cost: one hash set entry per tensor.
/// </summary>
public sealed class DisposeScope : IDisposable
{
    [ThreadStatic]
    private static DisposeScope? _current;

    private readonly HashSet<IDisposable> _owned = new(ReferenceEqualityComparer.Instance);
    private DisposeScope? _outer;

    internal DisposeScope()
    {
        _outer = _current;
        _current = this;
    }

    /// <summary>Number of tensors held now.</summary>
    public int DisposablesCount => _owned.Count;

    /// <summary>Adds a new tensor to the innermost scope of this thread; null when there is none.</summary>
    internal static DisposeScope? Own(torch.Tensor tensor)
    {
        var scope = _current;
        scope?._owned.Add(tensor);
        return scope;
    }

    /// <summary>Hands the disposable to the next outer scope; without one, to the caller.</summary>
    public T MoveToOuter<T>(T disposable)
        where T : IDisposable
    {
        if (_owned.Remove(disposable))
        {
            _outer?._owned.Add(disposable);
            if (disposable is torch.Tensor tensor)
                tensor.Scope = _outer;
        }

        return disposable;
    }

    public (T1, T2) MoveToOuter<T1, T2>(T1 first, T2 second)
        where T1 : IDisposable
        where T2 : IDisposable
        => (MoveToOuter(first), MoveToOuter(second));

    public (T1, T2, T3) MoveToOuter<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable
        where T2 : IDisposable
        where T3 : IDisposable
        => (MoveToOuter(first), MoveToOuter(second), MoveToOuter(third));

    /// <summary>Takes the disposable out of all scopes: the caller must dispose it.</summary>
    public T Detach<T>(T disposable)
        where T : IDisposable
    {
        if (_owned.Remove(disposable) && disposable is torch.Tensor tensor)
            tensor.Scope = null;
        return disposable;
    }

    public void Dispose()
    {
        foreach (var disposable in _owned)
        {
            if (disposable is torch.Tensor tensor)
                tensor.Scope = null; // It need not call back to remove itself.
            disposable.Dispose();
        }

        _owned.Clear();
        Unlink();
    }

    internal void Forget(torch.Tensor tensor) => _owned.Remove(tensor);

    private void Unlink()
    {
        if (_current == this)
        {
            _current = _outer;
            return;
        }

        // Disposed out of order, or on another thread: the inner scopes then hand over to this one's outer scope.
        for (var inner = _current; inner is not null; inner = inner._outer)
        {
            if (inner._outer == this)
                inner._outer = _outer;
        }
    }
}
