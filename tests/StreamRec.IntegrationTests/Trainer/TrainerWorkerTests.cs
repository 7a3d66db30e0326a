using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.Contracts.Control;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Training;
using Xunit;

namespace StreamRec.IntegrationTests.Trainer;

public sealed class TrainerWorkerTests(Servers servers)
{
    internal const int Items = 40;
    private const int Ring = 8;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_reads_the_graph_and_leaves_a_champion_that_loads()
    {
        var source = await servers.NewSchemaAsync(ct: Ct);
        var (graph, registry) = (new PostgresGraph(source), new ModelRegistry(source));
        await graph.MigrateAsync(Ct);
        await FillAsync(graph, users: 60, eventsPerUser: 20, fromOffset: 0);
        var models = Directory.CreateTempSubdirectory("streamrec-models-");
        try
        {
            var worker = new TrainerWorker(Options(models.FullName), graph, registry, EventTypes.Default, null, NullLoggerFactory.Instance);
            var outcome = await worker.TrainAsync(Request(fineTune: false), null, Ct);

            Assert.True(outcome.Promoted, outcome.Why);
            var champion = (await registry.ChampionAsync("streamrec", Ct))!;
            Assert.Equal(outcome.Version, champion.Version);
            var model = RankingModel.Load(champion.Path);
            Assert.Equal(champion.Digest, model.Manifest.Digest);
            Assert.Equal(1_200, model.Manifest.Data.Interactions);
            Assert.Equal(1_200, model.Manifest.Data.NextOffsets["0"]);
            Assert.True(outcome.Metrics["ndcg_10"] > outcome.Metrics["popularity_ndcg_10"]);

            await FillAsync(graph, users: 90, eventsPerUser: 10, fromOffset: 1_200);
            List<TrainingProgress> reports = [];
            var second = await worker.TrainAsync(Request(fineTune: true), new Direct(reports), Ct);
            Assert.Contains(reports, r => r.Stage == "fine-tune");
            var row = (await registry.FindAsync(second.Version, Ct))!;
            Assert.Equal(champion.Version, row.Parent);
            Assert.Equal(second.Promoted ? ModelStatus.Champion : ModelStatus.Rejected, row.Status);
            Assert.True(second.Metrics.ContainsKey("champion_ndcg_10"));
        }
        finally
        {
            models.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task An_empty_graph_is_refused_and_registers_nothing()
    {
        var source = await servers.NewSchemaAsync(ct: Ct);
        var (graph, registry) = (new PostgresGraph(source), new ModelRegistry(source));
        await graph.MigrateAsync(Ct);
        var worker = new TrainerWorker(Options("nowhere"), graph, registry, EventTypes.Default, null, NullLoggerFactory.Instance);
        var error = await Assert.ThrowsAsync<NotEnoughDataException>(() => worker.TrainAsync(Request(fineTune: false), null, Ct));
        Assert.Contains("Trainer.MinInteractions", error.Message, StringComparison.Ordinal);
        Assert.Empty(await registry.ListAsync(10, Ct));
        Assert.False(Directory.Exists("nowhere"));
    }

    private static TrainRequested Request(bool fineTune) => new(Guid.NewGuid(), "test", fineTune, "test", DateTimeOffset.UtcNow);

    /// <summary>A small model that learns the rings in seconds.</summary>
    internal static TrainerOptions Options(string models) => new()
    {
        ModelsDirectory = models,
        Threads = 1,
        Device = "cpu",
        Encoder = new EncoderConfig { Dim = 16, Ffn = 32, MaxHistory = 12 },
        Loop = new LoopOptions { Epochs = 6, LearningRate = 0.01 },
        BatchTokens = 200,
        Neighbours = 5,
        HoldoutEvents = 150,
        BlendEvents = 150,
        ValidationEvents = 80,
    };

    /// <summary>The next item of a user on the way along their ring; one in ten is any item.</summary>
    internal static int ItemOf(int user, int step, Random random) =>
        random.Next(10) == 0 ? random.Next(Items) : (user % (Items / Ring) * Ring) + ((user + step) % Ring);

    /// <summary>Users who walk along rings of items, one event every few minutes: learnable, and not by popularity.</summary>
    private static async Task FillAsync(PostgresGraph graph, int users, int eventsPerUser, long fromOffset)
    {
        const string Topic = "test.interactions.v1";
        await graph.ClaimAsync(Topic, 0, fromOffset, Ct);
        var batch = new InteractionBatch(Topic, 0);
        batch.Reset(fromOffset);
        var random = new Random((int)fromOffset);
        var start = 1_700_000_000_000 + (fromOffset * 3_600_000);
        for (var k = 0; k < users * eventsPerUser; k++)
        {
            var (user, step) = (k % users, k / users);
            var item = ItemOf(user, step, random);
            var offset = fromOffset + k;
            batch.Add(offset, new Interaction((UInt128)offset + 1, $"u{user}", $"i{item}", 2, float.NaN, start + (k * 60_000L)));
        }

        await graph.ApplyAsync(batch, Ct);
    }

    /// <summary>Reports on the caller's thread: Progress would post them, and the test would race with the last one.</summary>
    private sealed class Direct(List<TrainingProgress> to) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => to.Add(value);
    }
}
