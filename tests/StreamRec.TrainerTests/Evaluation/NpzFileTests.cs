using StreamRec.TrainerTests.Text;
using StreamRec.Trainer.Evaluation;

namespace StreamRec.TrainerTests.Evaluation;

public sealed class NpzFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streamrec-npz-");

    [Fact]
    public void Arrays_come_back_as_they_were_and_a_second_update_replaces_only_its_own()
    {
        var path = Path.Combine(_folder.FullName, "a", "b.npz");
        NpzFile.Update(path, new Dictionary<string, Array> { ["p1:exclude/users"] = new long[] { 1, -5, long.MaxValue }, ["x"] = new ushort[] { 1, 65535 } });
        NpzFile.Update(
            path,
            new Dictionary<string, Array> { ["x"] = new ushort[] { 7 }, ["y"] = new[] { 0.25, double.NaN }, ["empty"] = Array.Empty<double>() });
        var read = NpzFile.Read(path);
        Assert.Equal(new long[] { 1, -5, long.MaxValue }, (long[])read["p1:exclude/users"]);
        Assert.Equal(new ushort[] { 7 }, (ushort[])read["x"]);
        Assert.Equal(new[] { 0.25, double.NaN }, (double[])read["y"]);
        Assert.Empty((double[])read["empty"]);
    }

    [Fact]
    public void The_file_numpy_wrote_is_read()
    {
        var read = NpzFile.Read(SharedFiles.OrSkip("peers/raw/ml-100k/EASE-decay.npz"));
        Assert.Equal(10_000, ((ushort[])read["p2:exclude/ranks"]).Length);
        Assert.Equal(90, ((double[])read["p1:exclude/ndcg10"]).Length);
        var judged = (ushort[])read["p2strict:exclude/ranks"];
        Assert.Equal(0.0972, judged.Average(r => RankMetrics.Gain(r)), 4);
    }

    [Fact]
    public void Another_file_is_refused_with_its_name()
    {
        var path = Path.Combine(_folder.FullName, "text.npz");
        using (var zip = System.IO.Compression.ZipFile.Open(path, System.IO.Compression.ZipArchiveMode.Create))
        using (var writer = new StreamWriter(zip.CreateEntry("note.npy").Open()))
            writer.Write("not an array");
        var error = Assert.Throws<InvalidDataException>(() => NpzFile.Read(path));
        Assert.Contains("array 'note'", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
