using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace TorchSharp;

/// <summary>Passes a tensor as its native handle, keeps it alive during the call, and turns a null result into the native error.</summary>
[CustomMarshaller(typeof(torch.Tensor), MarshalMode.ManagedToUnmanagedIn, typeof(In))]
[CustomMarshaller(typeof(torch.Tensor), MarshalMode.ManagedToUnmanagedOut, typeof(Out))]
internal static class TensorMarshaller
{
    public ref struct In
    {
        private torch.Tensor? _tensor;

        public void FromManaged(torch.Tensor? tensor) => _tensor = tensor;

        public readonly nint ToUnmanaged() => _tensor is null ? 0 : _tensor.Handle;

        public readonly void OnInvoked() => GC.KeepAlive(_tensor);

        public readonly void Free()
        {
        }
    }

    public static class Out
    {
        public static torch.Tensor ConvertToManaged(nint handle) => handle == 0 ? throw NativeMethods.Error() : new torch.Tensor(handle);
    }
}

[CustomMarshaller(typeof(Scalar), MarshalMode.ManagedToUnmanagedIn, typeof(ScalarMarshaller))]
internal static class ScalarMarshaller
{
    public static NativeScalar ConvertToUnmanaged(Scalar? scalar) => scalar is null ? default : scalar.Value;
}

/// <summary>Turns a status of -1 into the native error.</summary>
[CustomMarshaller(typeof(Status), MarshalMode.ManagedToUnmanagedOut, typeof(StatusMarshaller))]
internal static class StatusMarshaller
{
    public static Status ConvertToManaged(int code) => code < 0 ? throw NativeMethods.Error() : default;
}

/// <summary>The result of a native function that returns nothing: having one means that it succeeded.</summary>
[NativeMarshalling(typeof(StatusMarshaller))]
internal readonly struct Status;

/// <summary>Mirrors NativeScalar of native/srt.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeScalar
{
    public double D;
    public long I;
    public long Kind;
}

/// <summary>Mirrors NativeOptions of native/srt.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeOptions
{
    public int DType;
    public int DeviceType;
    public int DeviceIndex;
    public int RequiresGrad;

    public static NativeOptions From(torch.ScalarType? dtype, torch.Device? device, bool requiresGrad) => new()
    {
        DType = dtype is { } t ? (int)t : -1,
        DeviceType = device is null ? -1 : (int)device.type,
        DeviceIndex = device?.index ?? -1,
        RequiresGrad = requiresGrad ? 1 : 0,
    };
}

/// <summary>Mirrors NativeIndex of native/create.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeIndex
{
    public long Kind;
    public long Start;
    public long Stop;
    public long Step;
    public long Given;
    public nint Tensor;
}

/// <summary>Mirrors AdamSettings of native/nn.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AdamSettings
{
    public double LearningRate;
    public double Beta1;
    public double Beta2;
    public double Eps;
    public double WeightDecay;
    public long Step;
    public long Decoupled;
}
