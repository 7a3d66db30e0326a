namespace TorchSharp;

/// <summary>Moving a module: in place, returning the module under its own type.</summary>
public static class ModuleExtensionMethods
{
    public static T to<T>(this T module, torch.ScalarType type)
        where T : torch.nn.Module
    {
        module.Move(type, null);
        return module;
    }

    public static T to<T>(this T module, torch.Device device)
        where T : torch.nn.Module
    {
        module.Move(null, device);
        return module;
    }

    public static T to<T>(this T module, torch.Device device, torch.ScalarType type)
        where T : torch.nn.Module
    {
        module.Move(type, device);
        return module;
    }

    public static T cpu<T>(this T module)
        where T : torch.nn.Module
        => module.to(torch.CPU);

    public static T cuda<T>(this T module)
        where T : torch.nn.Module
        => module.to(torch.CUDA);
}
