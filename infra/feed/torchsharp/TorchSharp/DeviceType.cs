namespace TorchSharp;

/// <summary>Kind of device; the values are libtorch's.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
}
