using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Layers;

/// <summary>What layer and loss tests do with a golden file, in float32: the precision the trainer runs in.</summary>
internal static class GoldenChecks
{
    public static Tensor Float(this Golden file, string name) => file.Tensor(name, ScalarType.Float32);

    public static Tensor Leaf(this Golden file, string name) => file.Input(name["in.".Length..], ScalarType.Float32);

    public static IEnumerable<string> NamesFrom(this Golden file, string prefix) =>
        file.Names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>Fills a module's parameters from <c>param.*</c>; every parameter must be there and none may be left over.</summary>
    public static void Load(this Golden file, nn.Module module, Func<string, string>? rename = null)
    {
        using var none = no_grad();
        var parameters = module.named_parameters().ToDictionary(p => rename?.Invoke(p.name) ?? p.name, p => p.parameter, StringComparer.Ordinal);
        Assert.Equal(file.NamesFrom("param.").Select(n => n["param.".Length..]), parameters.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, parameter) in parameters)
            parameter.copy_(file.Float("param." + name));
    }

    /// <summary>Compares the loss, and its gradients with regard to the inputs and the module's weights.</summary>
    public static void CheckGradients(
        this Golden file, Tensor loss, IReadOnlyDictionary<string, Tensor> leaves, nn.Module? module = null, Func<string, string>? rename = null)
    {
        file.AssertClose("out.loss", loss);
        var all = leaves.ToDictionary(l => "grad." + l.Key, l => l.Value, StringComparer.Ordinal);
        foreach (var (name, parameter) in module?.named_parameters() ?? [])
            all["grad.param." + (rename?.Invoke(name) ?? name)] = parameter;
        var names = all.Keys.Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(file.NamesFrom("grad."), names);
        var gradients = autograd.grad([loss], [.. names.Select(n => all[n])]);
        for (var i = 0; i < names.Length; i++)
            file.AssertClose(names[i], gradients[i]);
    }
}
