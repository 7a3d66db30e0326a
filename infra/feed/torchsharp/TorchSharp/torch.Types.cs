using System.Globalization;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Element type; the values are libtorch's.</summary>
    public enum ScalarType : sbyte
    {
        Byte = 0,
        Int8 = 1,
        Int16 = 2,
        Int32 = 3,
        Int64 = 4,
        Float16 = 5,
        Float32 = 6,
        Float64 = 7,
        Bool = 11,
        BFloat16 = 15,
    }

    /// <summary>How a quotient is rounded.</summary>
    public enum RoundingMode
    {
        None = 0,
        trunc = 1,
        floor = 2,
    }

    /// <summary>A device: its type and, for CUDA, its index (-1: the current one).</summary>
    public sealed class Device : IEquatable<Device>
    {
        /// <summary>From "cpu", "cuda" or "cuda:1".</summary>
        /// <exception cref="ArgumentException">Another text.</exception>
        public Device(string description)
        {
            var parts = description.ToLowerInvariant().Split(':');
            type = parts[0] switch
            {
                "cpu" => DeviceType.CPU,
                "cuda" => DeviceType.CUDA,
                _ => throw new ArgumentException($"unknown device '{description}': cpu, cuda or cuda:N", nameof(description)),
            };
            index = parts.Length == 1 ? -1 : int.Parse(parts[1], CultureInfo.InvariantCulture);
        }

        public Device(DeviceType type, int index = -1) => (this.type, this.index) = (type, index);

        public DeviceType type { get; }

        public int index { get; }

        public bool Equals(Device? other) => other is not null && type == other.type && index == other.index;

        public override bool Equals(object? obj) => Equals(obj as Device);

        public override int GetHashCode() => HashCode.Combine(type, index);

        public override string ToString() => type == DeviceType.CPU ? "cpu" : index < 0 ? "cuda" : $"cuda:{index}";
    }

    public static Device CPU { get; } = new(DeviceType.CPU);

    public static Device CUDA { get; } = new(DeviceType.CUDA);

    public static Device device(string description) => new(description);

    public static Device device(DeviceType type, int index = -1) => new(type, index);

    /// <summary>Threads one operation may use. The genuine packages default to the number of cores; this libtorch to 1, so loading it sets it.</summary>
    public static void set_num_threads(int n) => NativeMethods.srt_set_num_threads(n);

    public static int get_num_threads() => NativeMethods.srt_get_num_threads();

    public static class cuda
    {
        public static bool is_available() => NativeMethods.srt_cuda_available() != 0;

        public static int device_count() => NativeMethods.srt_cuda_count();

        public static void synchronize() => NativeMethods.srt_cuda_synchronize();

        public static void manual_seed_all(long seed) => NativeMethods.srt_cuda_manual_seed_all(seed);
    }
}
