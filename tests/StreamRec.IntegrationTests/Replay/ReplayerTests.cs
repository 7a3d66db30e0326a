using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.GraphStore;
using StreamRec.IntegrationTests.Ingest;
using StreamRec.Replay;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.IntegrationTests.Replay;

public sealed class ReplayerTests(Servers servers) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streamrec-replay-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replay_brings_users_items_and_interactions_into_the_graph()
    {
        await using var h = await Harness.StartAsync(servers);
        var source = new MovieLensSource(Films(), limit: 0);
        h.StartWorker();
        using var replayer = new Replayer(
            servers.Kafka, h.Topics,
            new ReplayOptions { Followed = [h.Options.GroupId], ItemsFollowed = h.Options.GroupId + "-catalogue" },
            NullLogger.Instance);
        await replayer.RunAsync(source, Stop);
        await replayer.DrainAsync(Stop);

        Assert.Equal((3, 2, 2), ((int)replayer.Stats.Delivered, (int)replayer.Stats.Items, (int)replayer.Stats.Users));
        await h.UntilDoneAsync(3);
        Assert.Equal(
            GraphDigest.Of([.. source.Read().Where(m => m.Topic == SourceTopic.Interactions).Select(m => m.Interaction)]).ToString(),
            await h.Graph.DigestAsync(Stop));
        await Harness.UntilAsync("the users are in", async () => (await h.Graph.UserAttributesAsync("2", Stop)).Count > 0);
        Assert.Equal(
            [("age", "53"), ("gender", "F"), ("occupation", "other")],
            (await h.Graph.UserAttributesAsync("2", Stop)).OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => (a.Key, a.Value)));
        var stats = await h.Graph.StatsAsync(Stop);
        Assert.Equal((2L, 2L), (stats.Users, stats.Items));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Two people, two films, three ratings, in MovieLens' format.</summary>
    private string Films()
    {
        File.WriteAllText(Path.Combine(_folder, "u.user"), "1|24|M|technician|85711\n2|53|F|other|94043\n");
        File.WriteAllLines(
            Path.Combine(_folder, "u.item"),
            new[] { "Toy Story (1995)", "GoldenEye (1995)" }
                .Select((title, i) =>
                    $"{i + 1}|{title}|01-Jan-1995||http://example.org|{string.Join('|', Enumerable.Repeat("0", 18))}|1"));
        File.WriteAllText(Path.Combine(_folder, "u.data"), "1\t1\t5\t874965758\n1\t2\t3\t876893171\n2\t1\t4\t888550871\n");
        return _folder;
    }
}
