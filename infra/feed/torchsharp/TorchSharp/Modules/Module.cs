using System.Reflection;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>
        /// A part of a model: parameters, buffers and modules by name. The name of a field is its key in the state dictionary. A module
        /// owns its parameters and buffers: registering takes them out of any dispose scope.
        /// </summary>
        public partial class Module : IDisposable
        {
            private readonly List<(string Name, Modules.Parameter Value)> _parameters = [];
            private readonly List<(string Name, Tensor Value)> _buffers = [];
            private readonly List<(string Name, Module Value)> _children = [];
            private readonly string _name;
            private bool _registered;

            protected Module(string name) => _name = name;

            public bool training { get; private set; } = true;

            public string GetName() => _name;

            /// <summary>Registers every field that is a module, a parameter or a tensor (a buffer). Call it once, at the end of the most derived constructor.</summary>
            protected void RegisterComponents()
            {
                if (_registered)
                    return;
                _registered = true;
                foreach (var field in GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
                {
                    switch (field.GetValue(this))
                    {
                        case Module module:
                            register_module(field.Name, module);
                            break;
                        case Modules.Parameter parameter:
                            register_parameter(field.Name, parameter);
                            break;
                        case Tensor tensor:
                            register_buffer(field.Name, tensor);
                            break;
                    }
                }
            }

            public virtual void register_module(string name, Module submodule)
            {
                Claim(name);
                _children.Add((name, submodule));
            }

            public virtual void register_parameter(string name, Modules.Parameter param)
            {
                Claim(name);
                param.DetachFromDisposeScope();
                _parameters.Add((name, param));
            }

            public virtual void register_buffer(string name, Tensor tensor)
            {
                Claim(name);
                tensor.DetachFromDisposeScope();
                _buffers.Add((name, tensor));
            }

            /// <summary>A parameter by its full name, null when there is none.</summary>
            public virtual Modules.Parameter? get_parameter(string target)
                => named_parameters().FirstOrDefault(p => p.name == target).parameter;

            public virtual IEnumerable<Modules.Parameter> parameters(bool recurse = true) => named_parameters(recurse).Select(p => p.parameter);

            /// <summary>Own ones first, then the children's with their names before. One that is shared comes once.</summary>
            public virtual IEnumerable<(string name, Modules.Parameter parameter)> named_parameters(bool recurse = true)
            {
                var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
                return Walk("", recurse, m => m._parameters).Where(p => seen.Add(p.Item2));
            }

            public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true)
            {
                var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
                return Walk("", recurse, m => m._buffers).Where(b => seen.Add(b.Item2));
            }

            public virtual IEnumerable<(string name, Module module)> named_children() => _children;

            public virtual IEnumerable<Module> children() => _children.Select(c => c.Value);

            /// <summary>All modules below this one.</summary>
            public virtual IEnumerable<Module> modules() => _children.SelectMany(c => c.Value.modules().Prepend(c.Value));

            public virtual void train(bool on = true)
            {
                training = on;
                foreach (var (_, child) in _children)
                    child.train(on);
            }

            public virtual void eval() => train(false);

            /// <summary>Unlike PyTorch's, the genuine 0.99 does nothing here: use the optimiser's.</summary>
            public virtual void zero_grad()
            {
                foreach (var parameter in parameters())
                    NativeMethods.srt_set_grad(parameter, null);
            }

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing)
            {
                if (!disposing)
                    return;
                foreach (var (_, parameter) in _parameters)
                    parameter.Dispose();
                foreach (var (_, buffer) in _buffers)
                    buffer.Dispose();
                foreach (var (_, child) in _children)
                    child.Dispose();
            }

            /// <summary>Moves parameters and buffers in place: the objects stay, so an optimiser keeps its parameters. Buffers of integers keep their type.</summary>
            internal void Move(ScalarType? dtype, Device? device)
            {
                using var scope = NewDisposeScope();
                using var grad = no_grad();
                foreach (var (_, parameter) in named_parameters())
                    Move(parameter, dtype, device);
                foreach (var (_, buffer) in named_buffers())
                    Move(buffer, buffer.dtype is ScalarType.Float32 or ScalarType.Float64 or ScalarType.Float16 or ScalarType.BFloat16 ? dtype : null, device);
            }

            private static void Move(Tensor tensor, ScalarType? dtype, Device? device)
            {
                var moved = tensor.to(dtype ?? tensor.dtype, device ?? tensor.device);
                if (ReferenceEquals(moved, tensor))
                    return;
                if (tensor.Gradient() is { } gradient)
                {
                    NativeMethods.srt_set_grad(tensor, null);
                    NativeMethods.srt_set_data(tensor, moved);
                    NativeMethods.srt_set_grad(tensor, gradient.to(moved.dtype, moved.device));
                }
                else
                {
                    NativeMethods.srt_set_data(tensor, moved);
                }
            }

            private IEnumerable<(string, TValue)> Walk<TValue>(string prefix, bool recurse, Func<Module, List<(string Name, TValue Value)>> own)
            {
                foreach (var (name, value) in own(this))
                    yield return (prefix + name, value);
                if (!recurse)
                    yield break;
                foreach (var (name, child) in _children)
                {
                    foreach (var item in child.Walk(prefix + name + ".", true, own))
                        yield return item;
                }
            }

            private void Claim(string name)
            {
                if (name.Length == 0 || name.Contains('.', StringComparison.Ordinal))
                    throw new ArgumentException($"'{name}' cannot be the name of a part of {_name}: it is empty or has a dot", nameof(name));
                if (_parameters.Any(p => p.Name == name) || _buffers.Any(b => b.Name == name) || _children.Any(c => c.Name == name))
                    throw new ArgumentException($"{_name} has '{name}' already", nameof(name));
            }
        }
    }
}
