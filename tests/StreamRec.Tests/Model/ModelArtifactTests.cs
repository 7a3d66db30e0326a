using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class ModelArtifactTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("streamrec-model-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void What_is_written_is_what_is_loaded()
    {
        var artifact = TestModels.Full(30, 1);
        var written = artifact.Write(ModelArtifact.DirectoryOf(_root, 1));
        var loaded = ModelArtifact.Load(ModelArtifact.DirectoryOf(_root, 1));
        Assert.Equal(artifact.Items, loaded.Items);
        Assert.Equal(artifact.Tensors.Keys.Order(), loaded.Tensors.Keys.Order());
        Assert.All(artifact.Tensors, t =>
        {
            Assert.Equal(t.Value.Shape, loaded.Tensors[t.Key].Shape);
            Assert.Equal(t.Value.Data, loaded.Tensors[t.Key].Data);
        });
        Assert.Equal(written.ToJson(), loaded.Manifest.ToJson());
        Assert.Equal(64, written.Digest.Length);
        Assert.Equal(["v1"], Directory.EnumerateFileSystemEntries(_root).Select(p => Path.GetFileName(p)!));
    }

    [Fact]
    public void The_same_inputs_give_the_same_digest_on_another_day_and_another_config_another_one()
    {
        var artifact = TestModels.Full(30, 1);
        var first = artifact.Write(Path.Combine(_root, "a"));
        var again = new ModelArtifact(
                artifact.Manifest with { CreatedAt = DateTimeOffset.UnixEpoch.AddYears(1), Version = 9 },
                artifact.Items,
                artifact.Tensors)
            .Write(Path.Combine(_root, "b"));
        var other = new ModelArtifact(artifact.Manifest with { Config = artifact.Manifest.Config with { TextGamma = 0.5f } }, artifact.Items, artifact.Tensors)
            .Write(Path.Combine(_root, "c"));
        Assert.Equal(first.Digest, again.Digest);
        Assert.NotEqual(first.Digest, other.Digest);
    }

    [Theory]
    [InlineData(ModelArtifact.TensorFile)]
    [InlineData(ModelArtifact.ItemsFile)]
    public void A_flipped_bit_a_truncation_and_a_missing_file_are_errors_that_name_the_file(string file)
    {
        var directory = Path.Combine(_root, "m");
        TestModels.Full(30, 1).Write(directory);
        var path = Path.Combine(directory, file);
        var bytes = File.ReadAllBytes(path);
        var flipped = bytes.ToArray();
        flipped[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, flipped);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => RankingModel.Load(directory)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, bytes[..^7]);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => RankingModel.Load(directory)).Message, StringComparison.Ordinal);
        File.Delete(path);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => RankingModel.Load(directory)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("\"text_gamma\": 0.9", "\"text_gamma\": 0.8")]
    [InlineData("\"digest\": \"", "\"digest\": \"0")]
    public void A_changed_manifest_is_an_error_that_names_it(string old, string replacement)
    {
        var directory = Path.Combine(_root, "m");
        TestModels.Full(30, 1).Write(directory);
        var path = Path.Combine(directory, ModelArtifact.ManifestFile);
        File.WriteAllText(path, old.Length == 0 ? "{" : File.ReadAllText(path).Replace(old, replacement, StringComparison.Ordinal));
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => ModelArtifact.Load(directory)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_artifact_is_never_overwritten()
    {
        TestModels.Full(30, 1).Write(Path.Combine(_root, "m"));
        Assert.Throws<IOException>(() => TestModels.Full(30, 2).Write(Path.Combine(_root, "m")));
        Assert.Equal(TestModels.Full(30, 1).Items, ModelArtifact.Load(Path.Combine(_root, "m")).Items);
    }

    [Fact]
    public void A_failed_write_leaves_nothing_behind()
    {
        var artifact = TestModels.Full(30, 1);
        var tensors = new Dictionary<string, (long[] Shape, float[] Data)>(artifact.Tensors) { ["user.ln.bias"] = ([3], new float[2]) };
        Assert.Throws<ArgumentException>(() => new ModelArtifact(artifact.Manifest, artifact.Items, tensors).Write(Path.Combine(_root, "m")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_root));
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        var artifact = TestModels.Full(30, 1);
        var tensors = artifact.Tensors.Where(t => t.Key != TensorNames.KnnCount).ToDictionary();
        var error = Assert.Throws<InvalidDataException>(() => RankingModel.From(new ModelArtifact(artifact.Manifest, artifact.Items, tensors)));
        Assert.Contains(TensorNames.KnnCount, error.Message, StringComparison.Ordinal);
    }
}
