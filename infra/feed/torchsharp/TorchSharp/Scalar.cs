namespace TorchSharp;

/// <summary>A number of any kind as an operand of a tensor operation; numbers convert to it by themselves.</summary>
[System.Runtime.InteropServices.Marshalling.NativeMarshalling(typeof(ScalarMarshaller))]
public sealed class Scalar
{
    private Scalar(NativeScalar value) => Value = value;

    internal static Scalar One { get; } = 1;

    internal NativeScalar Value { get; }

    internal bool IsIntegral => Value.Kind == 1;

    public static implicit operator Scalar(int value) => new(new NativeScalar { I = value, Kind = 1 });

    public static implicit operator Scalar(long value) => new(new NativeScalar { I = value, Kind = 1 });

    public static implicit operator Scalar(float value) => new(new NativeScalar { D = value, Kind = 2 });

    public static implicit operator Scalar(double value) => new(new NativeScalar { D = value, Kind = 2 });

    public static implicit operator Scalar(bool value) => new(new NativeScalar { I = value ? 1 : 0, Kind = 3 });
}
