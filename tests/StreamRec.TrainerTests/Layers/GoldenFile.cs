using System.Text.Json;
using StreamRec.Model;
using TorchSharp;
using TorchSharp.Modules;
using Xunit;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Layers;

/// <summary>One golden file: inputs and weights as float32 tensors that want gradients, expectations in float64 with the tolerance measured for float32.</summary>
internal sealed class GoldenFile : IDisposable
{
    private static readonly Lazy<string> Root = new(Find);
    private static readonly Lazy<JsonDocument> Tolerances = new(() => JsonDocument.Parse(File.ReadAllText(Path.Combine(Root.Value, "tolerances.json"))));
    private readonly SafeTensors _file;
    private readonly string _name;

    public GoldenFile(string name) => (_name, _file) = (name, SafeTensors.Open(Path.Combine(Root.Value, name)));

    public static string PathOf(string name) => Path.Combine(Root.Value, name);

    public bool Has(string tensor) => _file.Tensors.ContainsKey(tensor);

    public IEnumerable<string> Names(string prefix) => _file.Tensors.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>A leaf that wants a gradient when the file has one for it.</summary>
    public Tensor Leaf(string tensor)
    {
        var leaf = Float(tensor);
        return Has("grad." + tensor.Replace("in.", "", StringComparison.Ordinal)) ? leaf.requires_grad_() : leaf;
    }

    public Tensor Float(string tensor) => torch.tensor(_file.ReadFloat32(tensor), _file.Tensors[tensor].Shape);

    public Tensor Long(string tensor) => torch.tensor(_file.ReadInt64(tensor), _file.Tensors[tensor].Shape);

    public double Scalar(string tensor) => _file.ReadFloat64(tensor)[0];

    /// <summary>Fills a module's parameters from <c>param.*</c>; every parameter must be there and none may be left over.</summary>
    public void Load(nn.Module module, Func<string, string>? rename = null)
    {
        using var none = torch.no_grad();
        var parameters = module.named_parameters().ToDictionary(p => rename?.Invoke(p.name) ?? p.name, p => p.parameter, StringComparer.Ordinal);
        Assert.Equal(Names("param.").Select(n => n["param.".Length..]), parameters.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, parameter) in parameters)
            parameter.copy_(Float("param." + name));
    }

    /// <summary>Back-propagates loss = Σ y·R and compares loss, the inputs' and the weights' gradients.</summary>
    public void CheckGradients(Tensor loss, IReadOnlyDictionary<string, Tensor> leaves, nn.Module? module = null, Func<string, string>? rename = null)
    {
        Check("out.loss", loss);
        var all = leaves.ToDictionary(l => "grad." + l.Key, l => l.Value, StringComparer.Ordinal);
        foreach (var (name, parameter) in module?.named_parameters() ?? [])
            all["grad.param." + (rename?.Invoke(name) ?? name)] = parameter;
        var names = all.Keys.Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(Names("grad."), names);
        var gradients = torch.autograd.grad([loss], [.. names.Select(n => all[n])]);
        for (var i = 0; i < names.Length; i++)
            Check(names[i], gradients[i]);
    }

    public void Check(string tensor, Tensor actual)
    {
        var expected = _file.ReadFloat64(tensor);
        Assert.Equal(_file.Tensors[tensor].Shape, actual.shape);
        var tolerance = Tolerances.Value.RootElement.GetProperty("files").GetProperty(_name).GetProperty(tensor).GetProperty("f32_atol").GetDouble();
        var values = actual.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
        for (var i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - values[i]) <= tolerance))
                Assert.Fail($"{_name} {tensor}[{i}]: {values[i]:r}, expected {expected[i]:r} within {tolerance:r}");
        }
    }

    public void Dispose() => _file.Dispose();

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (!File.Exists(Path.Combine(at.FullName, "StreamRec.sln")))
                continue;
            string[] places = [Path.Combine(at.FullName, "tests", "golden"), Path.Combine(at.FullName, "..", "shared", "golden")];
            return places.FirstOrDefault(Directory.Exists) ?? throw new DirectoryNotFoundException("tests/golden is missing");
        }

        throw new DirectoryNotFoundException($"no StreamRec.sln above {AppContext.BaseDirectory}");
    }
}
