using Npgsql;
using StreamRec.GraphStore;
using StreamRec.Model;
using Xunit;

namespace StreamRec.IntegrationTests.Model;

public sealed class ModelRegistryTests(Servers servers)
{
    private static readonly TimeSpan Dead = TimeSpan.FromMinutes(5);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Promotion_retires_the_old_champion_and_rollback_goes_back_one_at_a_time()
    {
        var registry = await NewAsync();
        long[] v = [await RegisterAsync(registry), await RegisterAsync(registry), await RegisterAsync(registry)];
        Assert.Null(await registry.ChampionVersionAsync("main", Ct));
        Assert.Null(await registry.PromoteAsync(v[0], "ann", Ct));
        Assert.Equal(v[0], await registry.PromoteAsync(v[1], "ann", Ct));
        Assert.Equal(v[1], await registry.PromoteAsync(v[2], "ann", Ct));
        Assert.Equal(v[2], (await registry.ChampionAsync("main", Ct))!.Version);
        Assert.Equal((v[2], v[1]), await registry.RollbackAsync("main", "bob", Ct));
        Assert.Equal((v[1], v[0]), await registry.RollbackAsync("main", "bob", Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => registry.RollbackAsync("main", "bob", Ct));
        Assert.Equal(v[0], await registry.PromoteAsync(v[2], "ann", Ct));
        Assert.Equal((v[2], v[0]), await registry.RollbackAsync("main", "bob", Ct)); // v0 was in service when v2 came back
        var status = (await registry.ListAsync(10, Ct)).ToDictionary(m => m.Version, m => m.Status);
        Assert.Equal([ModelStatus.Champion, ModelStatus.Retired, ModelStatus.Retired], v.Select(x => status[x]));
    }

    [Fact]
    public async Task A_registered_model_comes_back_as_it_was()
    {
        var registry = await NewAsync();
        var parent = await RegisterAsync(registry);
        var manifest = Manifest(await registry.NextVersionAsync(Ct)) with { ParentVersion = parent };
        await registry.RegisterAsync(manifest, "/models/x", ModelStatus.Candidate, "trainer", Ct);
        await registry.RegisterAsync(manifest, "/models/x", ModelStatus.Candidate, "trainer", Ct); // a retry
        var model = (await registry.FindAsync(manifest.Version, Ct))!;
        Assert.Equal((ModelStatus.Candidate, "/models/x", manifest.Digest, parent), (model.Status, model.Path, model.Digest, model.Parent!.Value));
        Assert.Equal(0.25, model.Metrics["ndcg_10"]);
        Assert.Equal(manifest.Config.Channels, model.Manifest.Config.Channels);
        Assert.Null(model.PromotedAt);
        var other = await Assert.ThrowsAsync<InvalidOperationException>(
            () => registry.RegisterAsync(manifest with { Digest = "other" }, "/models/x", ModelStatus.Candidate, "trainer", Ct));
        Assert.Contains("other", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Concurrent_promotions_leave_one_champion()
    {
        var registry = await NewAsync();
        var versions = new List<long>();
        for (var i = 0; i < 8; i++)
            versions.Add(await RegisterAsync(registry));
        await Task.WhenAll(versions.Select(v => registry.PromoteAsync(v, "race", Ct)));
        Assert.Single(await registry.ListAsync(20, Ct), m => m.Status == ModelStatus.Champion);
        Assert.Equal(7, (await registry.ListAsync(20, Ct)).Count(m => m.Status == ModelStatus.Retired));
    }

    [Fact]
    public async Task A_failed_or_unknown_version_is_not_promoted()
    {
        var registry = await NewAsync();
        var version = await RegisterAsync(registry);
        Assert.True(await registry.MarkAsync(version, ModelStatus.Failed, "scorer", "does not load", Ct));
        Assert.False(await registry.MarkAsync(version, ModelStatus.Failed, "scorer", "does not load", Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => registry.PromoteAsync(version, "ann", Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => registry.PromoteAsync(version + 100, "ann", Ct));
        Assert.Null(await registry.ChampionAsync("main", Ct));
    }

    [Fact]
    public async Task One_training_runs_at_a_time_however_many_trainers_claim()
    {
        var runs = (await NewAsync()).Runs;
        for (var i = 0; i < 5; i++)
            Assert.True(await runs.RequestAsync(Guid.NewGuid(), "volume", false, "trigger", Ct));
        var claims = await Task.WhenAll(Enumerable.Range(0, 8).Select(t => runs.ClaimAsync($"trainer-{t}", Dead, Ct)));
        var claimed = Assert.Single(claims, c => c is not null)!;
        Assert.Equal(RunStatus.Running, claimed.Status);
        Assert.Equal(claimed.RunId, (await runs.ActiveAsync(Ct))!.RunId);
        Assert.True(await runs.ProgressAsync(claimed.RunId, "train", 0.5, new Dictionary<string, double> { ["loss"] = double.NaN }, Ct));
        Assert.True(await runs.EndAsync(claimed.RunId, RunStatus.Rejected, null, "lost to the champion", Ct));
        Assert.False(await runs.EndAsync(claimed.RunId, RunStatus.Failed, null, "again", Ct));
        Assert.False(await runs.ProgressAsync(claimed.RunId, "train", 0.6, new Dictionary<string, double>(), Ct));
        var ended = (await runs.FindAsync(claimed.RunId, Ct))!;
        Assert.Equal((RunStatus.Rejected, "lost to the champion", "train", 0.5), (ended.Status, ended.Error, ended.Stage, ended.Fraction));
        Assert.NotNull(await runs.ClaimAsync("trainer-9", Dead, Ct));
    }

    [Fact]
    public async Task The_same_request_twice_is_one_run_and_the_oldest_runs_first()
    {
        var runs = (await NewAsync()).Runs;
        var (first, second) = (Guid.NewGuid(), Guid.NewGuid());
        Assert.True(await runs.RequestAsync(first, "manual", true, "ann", Ct));
        Assert.True(await runs.RequestAsync(second, "interval", false, "trigger", Ct));
        Assert.False(await runs.RequestAsync(first, "manual", true, "ann", Ct));
        Assert.Equal(2, (await runs.ListAsync(10, Ct)).Count);
        var claimed = (await runs.ClaimAsync("t", Dead, Ct))!;
        Assert.Equal((first, true, "ann", "manual", "t"), (claimed.RunId, claimed.FineTune, claimed.RequestedBy, claimed.Reason, claimed.ClaimedBy));
    }

    [Fact]
    public async Task A_run_whose_trainer_died_is_failed_by_the_next_claim()
    {
        var runs = (await NewAsync()).Runs;
        var (dead, next) = (Guid.NewGuid(), Guid.NewGuid());
        await runs.RequestAsync(dead, "manual", false, "ann", Ct);
        await runs.RequestAsync(next, "manual", false, "ann", Ct);
        Assert.Equal(dead, (await runs.ClaimAsync("gone", Dead, Ct))!.RunId);
        Assert.Null(await runs.ClaimAsync("other", Dead, Ct));
        Assert.Equal(next, (await runs.ClaimAsync("other", TimeSpan.Zero, Ct))!.RunId);
        var buried = (await runs.FindAsync(dead, Ct))!;
        Assert.Equal(RunStatus.Failed, buried.Status);
        Assert.Contains("gone", buried.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_change_leaves_an_audit_row_with_who_and_what()
    {
        var registry = await NewAsync();
        var version = await RegisterAsync(registry);
        await registry.PromoteAsync(version, "ann", Ct);
        await registry.PromoteAsync(version, "ann", Ct); // no change, no row
        await registry.Audit.WriteAsync("bob", "schedule.pause", "nightly", "maintenance", Ct);
        var audit = await registry.Audit.ListAsync(10, Ct);
        Assert.Equal(["schedule.pause", "model.promote", "model.register"], audit.Select(a => a.Action));
        Assert.Equal(["bob", "ann", "trainer"], audit.Select(a => a.Who));
        Assert.Equal(["nightly", $"v{version}", $"v{version}"], audit.Select(a => a.Subject));
        Assert.Contains("maintenance", audit[0].Detail, StringComparison.Ordinal);
    }

    private async Task<ModelRegistry> NewAsync([System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        NpgsqlDataSource source = await servers.NewSchemaAsync(test, Ct);
        await new PostgresGraph(source).MigrateAsync(Ct);
        return new ModelRegistry(source);
    }

    private static async Task<long> RegisterAsync(ModelRegistry registry)
    {
        var version = await registry.NextVersionAsync(Ct);
        await registry.RegisterAsync(Manifest(version), $"/models/v{version}", ModelStatus.Candidate, "trainer", Ct);
        return version;
    }

    private static ModelManifest Manifest(long version) => new()
    {
        Name = "main",
        Version = version,
        CreatedAt = DateTimeOffset.UtcNow,
        Config = new ModelConfig { Channels = [ChannelNames.Popularity, ChannelNames.Personal] },
        Data = new ModelData(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 1, new Dictionary<string, long>()),
        Metrics = new Dictionary<string, double> { ["ndcg_10"] = 0.25 },
        Digest = $"digest-{version}",
    };
}
