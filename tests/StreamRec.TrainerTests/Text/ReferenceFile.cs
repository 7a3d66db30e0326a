using System.Text.Json;
using StreamRec.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Text;

/// <summary>A reference file of ../shared/golden with the tolerances of the repository's own copy of tolerances.json.</summary>
internal sealed class ReferenceFile : IDisposable
{
    private readonly SafeTensors _file;
    private readonly JsonElement _tolerances;
    private readonly string _name;

    public ReferenceFile(string name)
    {
        _name = name;
        _file = SafeTensors.Open(SharedFiles.OrSkip("golden/" + name));
        _tolerances = Golden.Json("tolerances.json").GetProperty("files").GetProperty(name);
    }

    public IEnumerable<string> Names => _file.Tensors.Keys;

    public Tensor Tensor(string name, ScalarType dtype)
    {
        var info = _file.Tensors[name];
        return info.DType == "I64" ? tensor(_file.ReadInt64(name), info.Shape) : tensor(_file.ReadFloat64(name), info.Shape).to_type(dtype);
    }

    public void AssertClose(string name, Tensor actual)
    {
        using var scope = NewDisposeScope();
        var expected = _file.ReadFloat64(name);
        var info = _file.Tensors[name];
        Assert.Equal(info.Shape, actual.shape);
        var largest = expected.Max(Math.Abs);
        var tolerance = actual.dtype == ScalarType.Float32
            ? _tolerances.GetProperty(name).GetProperty("f32_atol").GetDouble()
            : 1e-10 + ((info.DType == "F32" ? 2e-7 : 1e-9) * largest);
        var got = actual.detach().to_type(ScalarType.Float64).contiguous().data<double>().ToArray();
        for (var i = 0; i < got.Length; i++)
        {
            Assert.True(
                Math.Abs(got[i] - expected[i]) <= tolerance,
                $"{_name} {name}[{i}] in {actual.dtype}: got {got[i]:R}, expected {expected[i]:R}, allowed {tolerance:E1}");
        }
    }

    public void Dispose() => _file.Dispose();
}
