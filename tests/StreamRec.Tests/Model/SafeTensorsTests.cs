using System.Text;
using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("safetensors").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Good => Path.Combine(_folder, "good.safetensors");

    private void WriteGood(Func<string, bool>? half = null) => SafeTensors.Write(Good, new Dictionary<string, (long[], float[])>
    {
        ["b"] = ([2, 2], [1, -2, 3.5f, 65504]),
        ["a"] = ([3], [0.1f, float.NaN, float.PositiveInfinity]),
        ["scalar"] = ([], [7]),
        ["empty"] = ([0, 4], []),
    }, half);

    [Fact]
    public void What_is_written_is_read_and_the_same_tensors_give_the_same_bytes()
    {
        WriteGood();
        var first = File.ReadAllBytes(Good);
        using (var file = SafeTensors.Open(Good))
        {
            Assert.Equal([1, -2, 3.5f, 65504], file.ReadFloat32("b"));
            Assert.Equal([0.1f, float.NaN, float.PositiveInfinity], file.ReadFloat32("a"));
            Assert.Equal([7f], file.ReadFloat32("scalar"));
            Assert.Empty(file.ReadFloat32("empty"));
            Assert.Equal([2L, 2], file.Tensors["b"].Shape);
            Assert.Contains("'none'", Assert.Throws<KeyNotFoundException>(() => file.ReadFloat32("none")).Message, StringComparison.Ordinal);
        }

        WriteGood();
        Assert.Equal(first, File.ReadAllBytes(Good));
    }

    [Fact]
    public void A_tensor_kept_as_float16_takes_half_the_room_and_reads_as_float32()
    {
        WriteGood(name => name == "b");
        using var file = SafeTensors.Open(Good);
        Assert.Equal("F16", file.Tensors["b"].DType);
        Assert.Equal(8, file.Tensors["b"].End - file.Tensors["b"].Begin);
        Assert.Equal([1, -2, 3.5f, 65504], file.ReadFloat32("b"));
        Assert.Equal("F32", file.Tensors["a"].DType);
    }

    [Theory]
    [InlineData("BF16", "803f", new[] { 1.0 })]
    [InlineData("F16", "003c00c0", new[] { 1.0, -2.0 })]
    [InlineData("F64", "000000000000f03f", new[] { 1.0 })]
    [InlineData("I64", "ffffffffffffffff", new[] { -1.0 })]
    [InlineData("I32", "05000000", new[] { 5.0 })]
    public void Every_number_type_in_use_is_read(string dtype, string hex, double[] expected)
    {
        var data = Convert.FromHexString(hex);
        using var file = SafeTensors.Open(Raw(
            $$"""{ "x": { "dtype": "{{dtype}}", "shape": [{{expected.Length}}], "data_offsets": [0, {{data.Length}}] } }""",
            data));
        Assert.Equal(expected, file.ReadFloat64("x"));
        Assert.Equal(expected, file.ReadFloat32("x").Select(v => (double)v));
    }

    [Theory]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}""", "'x'")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}""", "truncated")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", "'x'")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "'x'")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", "overlaps 'x'")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "header is not valid")]
    [InlineData("""{"x":{"dtype":"F32","data_offsets":[0,8]}}""", "header is not valid")]
    [InlineData("""{"x":17}""", "header is not valid")]
    [InlineData("""[]""", "header is not valid")]
    [InlineData("""{"x":""", "header is not valid")]
    public void A_header_that_lies_or_is_none_is_refused_with_the_reason(string header, string reason)
    {
        var path = Raw(header, new byte[12]);
        var error = Assert.Throws<InvalidDataException>(() => SafeTensors.Open(path).Dispose());
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused_and_never_read_beyond_its_end()
    {
        WriteGood();
        var whole = File.ReadAllBytes(Good);
        var path = Path.Combine(_folder, "cut.safetensors");
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Throws<InvalidDataException>(() => SafeTensors.Open(path).Dispose());
        }
    }

    [Fact]
    public void A_header_length_beyond_the_file_is_refused_without_allocating_it()
    {
        var path = Path.Combine(_folder, "long.safetensors");
        File.WriteAllBytes(path, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
        Assert.Contains("does not fit", Assert.Throws<InvalidDataException>(() => SafeTensors.Open(path).Dispose()).Message, StringComparison.Ordinal);
    }

    private string Raw(string header, byte[] data)
    {
        var path = Path.Combine(_folder, "raw.safetensors");
        var bytes = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)bytes.Length), .. bytes, .. data]);
        return path;
    }
}
