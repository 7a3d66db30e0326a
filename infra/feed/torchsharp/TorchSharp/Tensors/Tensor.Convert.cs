using System.Runtime.InteropServices;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>The raw elements, without a copy; valid while the tensor lives. Setting copies exactly as many bytes as the tensor has.</summary>
        /// <exception cref="NotImplementedException">The tensor is not on the CPU or not contiguous.</exception>
        public unsafe Span<byte> bytes
        {
            get
            {
                if (device_type != DeviceType.CPU)
                    throw new NotImplementedException($"bytes of a tensor on {device}: call cpu() first");
                if (!is_contiguous())
                    throw new NotImplementedException($"bytes of a tensor of shape [{string.Join(", ", shape)}] that is not contiguous: call contiguous() first");
                var length = checked((int)(numel() * NativeMethods.srt_element_size(this)));
                return length == 0 ? [] : new Span<byte>((void*)NativeMethods.srt_data(this), length);
            }

            set
            {
                var target = bytes;
                if (value.Length != target.Length)
                    throw new ArgumentException($"{value.Length} bytes for a tensor of shape [{string.Join(", ", shape)}] and {target.Length} bytes", nameof(value));
                value.CopyTo(target);
            }
        }

        /// <summary>Typed view of the elements on the CPU.</summary>
        /// <exception cref="ArgumentException">T is not the tensor's element type.</exception>
        public Utils.TensorAccessor<T> data<T>()
            where T : unmanaged
        {
            CheckType<T>("data");
            return device_type == DeviceType.CPU ? new Utils.TensorAccessor<T>(this) : throw new InvalidOperationException($"data of a tensor on {device}: call cpu() first");
        }

        /// <summary>The only element.</summary>
        /// <exception cref="ArgumentException">T is not the tensor's element type.</exception>
        /// <exception cref="ExternalException">The tensor has more than one element.</exception>
        public T item<T>()
            where T : unmanaged
        {
            CheckType<T>("item");
            var (kind, d, i) = OnlyElement();
            return kind == 2 ? Cast<double, T>(d) : Cast<long, T>(i);
        }

        /// <summary>The same object when the type is the same already.</summary>
        public Tensor to(ScalarType type) => dtype == type ? this : NativeMethods.srt_to(this, (int)type, -1, -1);

        /// <summary>The same object when the device is the same already.</summary>
        public Tensor to(Device device) => IsOn(device) ? this : NativeMethods.srt_to(this, -1, (int)device.type, device.index);

        public Tensor to(string device) => to(new Device(device));

        public Tensor to(ScalarType type, Device device)
            => dtype == type && IsOn(device) ? this : NativeMethods.srt_to(this, (int)type, (int)device.type, device.index);

        public Tensor to(DeviceType deviceType, int deviceIndex) => to(new Device(deviceType, deviceIndex));

        public Tensor to_type(ScalarType type) => NativeMethods.srt_to(this, (int)type, -1, -1);

        public Tensor cpu() => to(CPU);

        public Tensor cuda() => to(CUDA);

        public Tensor @float() => to_type(ScalarType.Float32);

        public Tensor @double() => to_type(ScalarType.Float64);

        public Tensor @long() => to_type(ScalarType.Int64);

        internal (int Kind, double D, long I) OnlyElement()
        {
            var kind = NativeMethods.srt_item(this, out var d, out var i);
            return kind < 0 ? throw NativeMethods.Error() : (kind, d, i);
        }

        private static TTo Cast<TFrom, TTo>(TFrom value)
            where TFrom : struct
            where TTo : unmanaged
        {
            object result = Type.GetTypeCode(typeof(TTo)) switch
            {
                TypeCode.Single => Convert.ToSingle(value, null),
                TypeCode.Double => Convert.ToDouble(value, null),
                TypeCode.Int64 => Convert.ToInt64(value, null),
                TypeCode.Int32 => Convert.ToInt32(value, null),
                TypeCode.Int16 => Convert.ToInt16(value, null),
                TypeCode.SByte => Convert.ToSByte(value, null),
                TypeCode.Byte => Convert.ToByte(value, null),
                TypeCode.Boolean => Convert.ToBoolean(value, null),
                _ => (Half)Convert.ToDouble(value, null),
            };
            return (TTo)result;
        }

        private bool IsOn(Device device)
            => device_type == device.type && (device.type == DeviceType.CPU || device.index < 0 || device.index == NativeMethods.srt_device_index(this));

        private void CheckType<T>(string member)
        {
            var fits = dtype switch
            {
                ScalarType.Float32 => typeof(T) == typeof(float),
                ScalarType.Float64 => typeof(T) == typeof(double),
                ScalarType.Int64 => typeof(T) == typeof(long),
                ScalarType.Int32 => typeof(T) == typeof(int),
                ScalarType.Int16 => typeof(T) == typeof(short),
                ScalarType.Int8 => typeof(T) == typeof(sbyte),
                ScalarType.Byte => typeof(T) == typeof(byte),
                ScalarType.Bool => typeof(T) == typeof(bool),
                ScalarType.Float16 => typeof(T) == typeof(Half),
                _ => false,
            };
            if (!fits)
                throw new ArgumentException($"{member}<{typeof(T).Name}> of a tensor of {dtype}: convert it with to() first");
        }
    }
}

/// <summary>Conversions of a tensor with one element to a number, whatever its type.</summary>
public static class TensorExtensionMethods
{
    public static float ToSingle(this torch.Tensor value) => (float)value.ToDouble();

    public static double ToDouble(this torch.Tensor value)
    {
        var (kind, d, i) = value.OnlyElement();
        return kind == 2 ? d : i;
    }

    public static long ToInt64(this torch.Tensor value)
    {
        var (kind, d, i) = value.OnlyElement();
        return kind == 2 ? (long)d : i;
    }

    public static int ToInt32(this torch.Tensor value) => (int)value.ToInt64();
}
