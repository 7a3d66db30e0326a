using Xunit;

namespace StreamRec.IntegrationTests.Ingest;

/// <summary><c>streamrec graph rebuild-cache</c>, run as an operator runs it.</summary>
public sealed class RebuildCacheTests(Servers servers)
{
    [Fact]
    public async Task The_verb_gives_redis_back_what_it_lost_and_takes_out_what_postgres_does_not_know()
    {
        await using var h = await Harness.StartAsync(servers);
        await h.ProduceEventsAsync(3000, users: 30);
        h.StartWorker();
        await h.UntilDoneAsync(3000);
        await h.UntilRedisFollowsAsync();
        await h.StopWorkersAsync();
        await h.Redis.SetLatestAsync("u1", "[]"u8.ToArray()); // the scorer's, to be kept
        var before = await h.DumpRedisAsync();

        var database = h.Multiplexer.GetDatabase();
        string[] Keys(string kind) => [.. before.Select(line => line.Split(' ')[0]).Where(key => key.Contains(kind, StringComparison.Ordinal))];
        var (histories, trends) = (Keys("history:"), Keys(":trend:"));
        Assert.Equal(30, histories.Length);
        await database.KeyCopyAsync(histories[0], histories[0].Replace("{u", "{stranger", StringComparison.Ordinal));
        await database.SortedSetIncrementAsync(trends[0], "i1", 1);
        foreach (var key in (string[])[.. histories[15..], .. trends[(trends.Length / 2)..]])
            await database.KeyDeleteAsync(key);

        var said = await Verb.RunAsync(h.Settings, "graph", "rebuild-cache");
        Assert.Contains("3,000 interactions written to Redis", said, StringComparison.Ordinal);
        Assert.Equal(before, await h.DumpRedisAsync());
    }
}
