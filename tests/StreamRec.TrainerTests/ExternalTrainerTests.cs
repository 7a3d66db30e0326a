using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.External;
using StreamRec.Trainer.Training;

namespace StreamRec.TrainerTests;

public sealed class ExternalTrainerTests : IDisposable
{
    private static readonly GraphSnapshot Snapshot = TinyMarket.Create(eventsPerUser: 30);

    private static readonly TrainerOptions Options = new()
    {
        Encoder = new EncoderConfig { Dim = 16, Ffn = 32, MaxHistory = 12 }, Device = "cpu", Threads = 1, FinalFit = false,
        HoldoutEvents = 150, ValidationEvents = 50, BlendEvents = 150, Loop = new LoopOptions { Epochs = 15, LearningRate = 0.01 },
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("external").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void An_export_holds_the_snapshot_column_by_column_and_the_distinct_pairs_of_the_training_part()
    {
        var split = TemporalSplit.Of(Snapshot.Count, 0.1, 0.1);
        var edges = GraphExport.Write(Snapshot, EventTypes.Default, split.TrainEnd, split.ValidEnd, _folder);
        string At(string name) => Path.Combine(_folder, name);
        Assert.Equal(Snapshot.User, NpyFile.Read<int>(At("user.npy")).Values);
        Assert.Equal(Snapshot.Item, NpyFile.Read<int>(At("item.npy")).Values);
        Assert.Equal(Snapshot.Type, NpyFile.Read<byte>(At("type.npy")).Values);
        Assert.Equal(Snapshot.Value, NpyFile.Read<float>(At("value.npy")).Values);
        Assert.Equal(Snapshot.TimeMs, NpyFile.Read<long>(At("time_ms.npy")).Values);
        var (pairs, shape) = NpyFile.Read<long>(At("edge_index.npy"));
        Assert.Equal([2L, edges], shape);
        var expected = Enumerable.Range(0, split.TrainEnd).Select(e => ((long)Snapshot.User[e], (long)Snapshot.Item[e])).Distinct().Order();
        Assert.Equal(expected, Enumerable.Range(0, edges).Select(k => (pairs[k], pairs[edges + k])));
        Assert.Equal(
            Snapshot.Items.Select(i => i.ItemId),
            File.ReadLines(At("items.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("item_id").GetString()!));
        using var graph = JsonDocument.Parse(File.ReadAllBytes(At("graph.json")));
        Assert.Equal(split.TrainEnd, graph.RootElement.GetProperty("train_end").GetInt32());
        Assert.Equal(-1, graph.RootElement.GetProperty("event_types").GetProperty("dislike").GetProperty("weight").GetSingle());
        Assert.Contains("'<i4'", Assert.Throws<InvalidDataException>(() => NpyFile.Read<long>(At("user.npy"))).Message, StringComparison.Ordinal);
        // NumPy maps data at a multiple of 64 bytes.
        Assert.Equal(0, (new FileInfo(At("time_ms.npy")).Length - (8L * Snapshot.Count)) % 64);
    }

    [Fact]
    public void A_model_trained_outside_gets_channels_and_blend_and_is_judged_by_the_gate()
    {
        var (artifact, untilMs) = HandBack();
        var external = ExternalModel.Load(_folder);
        var trained = new ExternalTrainer(Options, EventTypes.Default).Assemble(external, Snapshot, null, null, 7, TestContext.Current.CancellationToken);
        Assert.True(trained.Accepted, trained.Why);
        Assert.Equal(7, trained.Artifact.Manifest.Version);
        Assert.Equal("elsewhere", trained.Artifact.Manifest.Config.Training["external"]);
        Assert.Equal(0.5, trained.Metrics["external_loss"]);
        Assert.True(trained.Metrics["gnn_ndcg_10"] > trained.Metrics["popularity_ndcg_10"] + 0.1);
        // Rows came in another order: each item has the vector it had.
        var (before, after) = (artifact.Tensors[TensorNames.ItemVectors].Data, trained.Artifact.Tensors[TensorNames.ItemVectors].Data);
        var width = Options.Encoder.Dim;
        for (var i = 0; i < artifact.Items.Length; i++)
        {
            var to = Array.IndexOf(trained.Artifact.Items, artifact.Items[i]);
            Assert.Equal(before[(i * width)..((i + 1) * width)], after[(to * width)..((to + 1) * width)]);
        }

        Assert.Equal(untilMs, external.Manifest.UntilMs);
        var written = Path.Combine(_folder, "v7");
        trained.Artifact.Write(written);
        Assert.Equal(trained.Artifact.Items.Length, RankingModel.Load(written).ItemCount);
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name()
    {
        HandBack();
        var trainer = new ExternalTrainer(Options, EventTypes.Default);
        Edit(json => json.Replace("\"until_ms\":", "\"until_ms\": 9", StringComparison.Ordinal));
        Assert.Contains("train_end", Assert.Throws<NotEnoughDataException>(
            () => trainer.Assemble(ExternalModel.Load(_folder), Snapshot, null, null, 1, CancellationToken.None)).Message, StringComparison.Ordinal);
        HandBack();
        Edit(json => json.Replace("\"ffn\":32", "\"ffn\":48", StringComparison.Ordinal));
        Assert.Contains("ffn.0.weight", Assert.Throws<InvalidDataException>(
            () => trainer.Assemble(ExternalModel.Load(_folder), Snapshot, null, null, 1, CancellationToken.None)).Message, StringComparison.Ordinal);
        Edit(json => json.Replace("\"dim\":16", "\"dim\":20", StringComparison.Ordinal));
        Assert.Contains("item.vectors", Assert.Throws<InvalidDataException>(() => ExternalModel.Load(_folder)).Message, StringComparison.Ordinal);
        Edit(json => json.Replace("\"format\":1", "\"format\":2", StringComparison.Ordinal));
        Assert.Contains("format 2", Assert.Throws<InvalidDataException>(() => ExternalModel.Load(_folder)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(_folder, "items.json"));
        Assert.Contains("items.json", Assert.Throws<InvalidDataException>(() => ExternalModel.Load(_folder)).Message, StringComparison.Ordinal);
    }

    /// <summary>Trains on the first 80 % and writes vectors and encoder the way an external trainer does, items in reverse order.</summary>
    private (ModelArtifact Artifact, long UntilMs) HandBack()
    {
        var end = Snapshot.Count * 8 / 10;
        var part = Snapshot with
        {
            User = Snapshot.User[..end], Item = Snapshot.Item[..end], Type = Snapshot.Type[..end],
            Value = Snapshot.Value[..end], TimeMs = Snapshot.TimeMs[..end],
        };
        var own = new ModelTrainer(Options, EventTypes.Default, NullLogger.Instance).Train(part, null, null, false, 1, null, CancellationToken.None).Artifact;
        var order = Enumerable.Range(0, own.Items.Length).Reverse().ToArray();
        var tensors = own.Tensors
            .Where(t => t.Key.StartsWith("user.", StringComparison.Ordinal))
            .ToDictionary(t => t.Key, t => t.Value, StringComparer.Ordinal);
        foreach (var name in new[] { TensorNames.ItemVectors, TensorNames.ItemBias })
        {
            var (shape, data) = own.Tensors[name];
            var width = data.Length / order.Length;
            tensors[name] = (shape, [.. order.SelectMany(i => data[(i * width)..((i + 1) * width)])]);
        }

        SafeTensors.Write(Path.Combine(_folder, "model.safetensors"), tensors);
        File.WriteAllText(Path.Combine(_folder, "items.json"), JsonSerializer.Serialize(order.Select(i => own.Items[i])));
        var until = part.TimeMs[^1];
        File.WriteAllText(Path.Combine(_folder, "external.json"),
            $$$"""{"format":1,"trainer":"elsewhere","until_ms":{{{until}}},"encoder":{"dim":16,"heads":2,"blocks":2,"max_history":12,"ffn":32}"""
            + $$$""","metrics":{"loss":0.5}}""");
        return (own, until);
    }

    private void Edit(Func<string, string> change)
    {
        var path = Path.Combine(_folder, "external.json");
        File.WriteAllText(path, change(File.ReadAllText(path)));
    }
}
