using System.Text;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>State dictionaries and their file form.</summary>
        public partial class Module
        {
            /// <summary>Parameters and buffers by full name; they are the module's own tensors, not copies.</summary>
            public virtual Dictionary<string, Tensor> state_dict()
            {
                var result = new Dictionary<string, Tensor>();
                foreach (var (name, parameter) in Walk("", true, m => m._parameters))
                    result.TryAdd(name, parameter);
                foreach (var (name, buffer) in Walk("", true, m => m._buffers))
                    result.TryAdd(name, buffer);
                return result;
            }

            /// <summary>Copies the values in.</summary>
            /// <exception cref="InvalidOperationException">strict, and a name is missing or not known.</exception>
            public virtual (IList<string> missing_keys, IList<string> unexpected_keys) load_state_dict(Dictionary<string, Tensor> source, bool strict = true)
            {
                var own = state_dict();
                var missing = own.Keys.Where(k => !source.ContainsKey(k)).ToList();
                var unexpected = source.Keys.Where(k => !own.ContainsKey(k)).ToList();
                if (strict && missing.Count + unexpected.Count > 0)
                    throw new InvalidOperationException($"the state for {_name} lacks [{string.Join(", ", missing)}] and has too many [{string.Join(", ", unexpected)}]");
                using var grad = no_grad();
                foreach (var (name, tensor) in source)
                {
                    if (own.TryGetValue(name, out var target))
                    {
                        if (!target.shape.AsSpan().SequenceEqual(tensor.shape))
                            throw ShapeCheck.Mismatch($"load_state_dict of '{name}'", target, tensor, "must be equal");
                        target.copy_(tensor);
                    }
                }

                return (missing, unexpected);
            }

            public Module save(string location)
            {
                using var stream = File.Create(location);
                return save(stream);
            }

            /// <summary>Closes the stream, as the genuine package does.</summary>
            public Module save(Stream stream)
            {
                using var writer = new BinaryWriter(stream);
                return save(writer);
            }

            /// <summary>TorchSharp's form: number of tensors, then for each its name, type, rank, shape and raw bytes; integers in 7-bit groups.</summary>
            public Module save(BinaryWriter writer)
            {
                var state = state_dict();
                Write7Bit(writer, state.Count);
                foreach (var (name, tensor) in state)
                {
                    writer.Write(name);
                    using var scope = NewDisposeScope();
                    var values = tensor.detach().cpu().contiguous();
                    Write7Bit(writer, (long)values.dtype);
                    Write7Bit(writer, values.ndim);
                    foreach (var dimension in values.shape)
                        Write7Bit(writer, dimension);
                    writer.Write(values.bytes);
                }

                writer.Flush();
                return this;
            }

            public Module load(string location, bool strict = true)
            {
                using var stream = File.OpenRead(location);
                return load(stream, strict);
            }

            public Module load(Stream stream, bool strict = true)
            {
                using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
                return load(reader, strict);
            }

            /// <exception cref="InvalidDataException">The file ends too early or has an impossible entry.</exception>
            public Module load(BinaryReader reader, bool strict = true)
            {
                using var scope = NewDisposeScope();
                var source = new Dictionary<string, Tensor>();
                var count = reader.Read7BitEncodedInt64();
                for (long i = 0; i < count; i++)
                    source[reader.ReadString()] = ReadTensor(reader);
                load_state_dict(source, strict);
                return this;
            }

            private static Tensor ReadTensor(BinaryReader reader)
            {
                var dtype = (ScalarType)reader.Read7BitEncodedInt64();
                var rank = reader.Read7BitEncodedInt64();
                if (!Enum.IsDefined(dtype) || rank is < 0 or > 16)
                    throw new InvalidDataException($"not a saved module: element type {(int)dtype}, {rank} dimensions");
                var shape = new long[rank];
                for (var d = 0; d < shape.Length; d++)
                    shape[d] = reader.Read7BitEncodedInt64();
                var tensor = empty(shape, dtype: dtype);
                reader.BaseStream.ReadExactly(tensor.bytes);
                return tensor;
            }

            private static void Write7Bit(BinaryWriter writer, long value) => writer.Write7BitEncodedInt64(value);
        }
    }
}
