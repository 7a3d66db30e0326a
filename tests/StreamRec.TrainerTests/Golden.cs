using System.Text.Json;
using StreamRec.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests;

/// <summary>
/// One golden file: inputs (in.*), weights (param.*), float64 references (out.*, grad.*) and the tolerance of each of them.
/// Conventions in tests/golden/README.md.
/// </summary>
public sealed class Golden : IDisposable
{
    private static readonly Lazy<JsonElement> Tolerances = new(() => Json("tolerances.json").GetProperty("files"));
    private readonly SafeTensors _file;
    private readonly string _name;

    private Golden(string name)
    {
        _name = name;
        _file = SafeTensors.Open(PathOf(name));
    }

    public IEnumerable<string> Names => _file.Tensors.Keys;

    /// <summary>Opens for example "losses/adamw" (".safetensors" may be left out).</summary>
    public static Golden Open(string name) => new(name.EndsWith(".safetensors", StringComparison.Ordinal) ? name : name + ".safetensors");

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "golden", name);

    public static JsonElement Json(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(PathOf(name)));
        return document.RootElement.Clone();
    }

    public bool Has(string name) => _file.Tensors.ContainsKey(name);

    public long[] Shape(string name) => _file.Tensors[name].Shape;

    /// <summary>The tensor as Float32 or Float64; integers come as Int64 whatever dtype says.</summary>
    public Tensor Tensor(string name, ScalarType dtype = ScalarType.Float64, bool requires_grad = false)
    {
        var info = _file.Tensors[name];
        if (info.DType is "I64" or "I32")
            return tensor(_file.ReadInt64(name), info.Shape);
        return dtype == ScalarType.Float32
            ? tensor(_file.ReadFloat32(name), info.Shape, dtype: dtype, requires_grad: requires_grad)
            : tensor(_file.ReadFloat64(name), info.Shape, dtype: dtype, requires_grad: requires_grad);
    }

    /// <summary>The in.* tensor of that name; a leaf whose gradient is wanted when the file has one for it.</summary>
    public Tensor Input(string name, ScalarType dtype = ScalarType.Float64)
        => Tensor("in." + name, dtype, requires_grad: Has("grad." + name) || Has("grad.in." + name));

    /// <summary>The param.* tensor of that name, as a leaf whose gradient is wanted.</summary>
    public Tensor Parameter(string name, ScalarType dtype = ScalarType.Float64) => Tensor("param." + name, dtype, requires_grad: true);

    /// <summary>Largest allowed absolute difference for a computation in dtype.</summary>
    public double Tolerance(string name, ScalarType dtype)
    {
        var entry = Tolerances.Value.GetProperty(_name).GetProperty(name);
        if (dtype == ScalarType.Float32)
            return entry.GetProperty("f32_atol").GetDouble();
        var largest = entry.GetProperty("max_abs").GetDouble();
        return _file.Tensors[name].DType == "F32" ? 2e-7 * largest : 1e-10 + (1e-9 * largest);
    }

    /// <summary>Compares with the reference of that name, at the tolerance of the actual tensor's type.</summary>
    public void AssertClose(string name, Tensor actual)
    {
        var expected = _file.ReadFloat64(name);
        var tolerance = Tolerance(name, actual.dtype);
        using var scope = NewDisposeScope();
        Assert.True(
            Shape(name).SequenceEqual(actual.shape),
            $"{_name} {name}: shape [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", Shape(name))}]");
        var got = actual.detach().cpu().to_type(ScalarType.Float64).contiguous().data<double>().ToArray();
        for (var i = 0; i < got.Length; i++)
        {
            var difference = Math.Abs(got[i] - expected[i]);
            Assert.True(
                difference <= tolerance,
                $"{_name} {name}[{i}] in {actual.dtype}: got {got[i]:R}, expected {expected[i]:R}, difference {difference:E2} > {tolerance:E2}");
        }
    }

    public void Dispose() => _file.Dispose();
}
