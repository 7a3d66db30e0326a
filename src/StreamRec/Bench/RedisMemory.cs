using System.Globalization;
using StackExchange.Redis;
using StreamRec.Contracts;
using StreamRec.GraphStore;

namespace StreamRec.Bench;

/// <summary>What people's histories take of Redis, by its own account (<c>INFO memory</c>).</summary>
internal static class RedisMemory
{
    private const int EventsEach = 50, PeopleAtOnce = 400;
    private const string Prefix = "streamrec:";

    public static async Task<BenchResult> RunAsync(string redis, int people, CancellationToken ct)
    {
        using var multiplexer = await ConnectionMultiplexer.ConnectAsync(redis);
        var server = multiplexer.GetServer(multiplexer.GetEndPoints()[0]);
        var graph = new RedisGraph(multiplexer, Prefix);
        await server.FlushAllDatabasesAsync();
        var before = await UsedAsync(server);
        var events = new BenchEvents(people * EventsEach, people, Math.Max(1, people / 20));
        var rows = new List<LoggedInteraction>(PeopleAtOnce * EventsEach);
        long next = 0;
        for (var first = 0; first < people; first += PeopleAtOnce)
        {
            ct.ThrowIfCancellationRequested();
            rows.Clear();
            for (var person = first; person < Math.Min(people, first + PeopleAtOnce); person++)
            {
                for (var i = 0; i < EventsEach; i++)
                {
                    var (_, item, type, value, time) = events[(i * people) + person];
                    rows.Add(new LoggedInteraction(
                        next + rows.Count,
                        new Interaction(0, BenchEvents.UserId(person), BenchEvents.ItemId(item), type.Code, value, time)));
                }
            }

            await graph.ApplyAsync(0, next, next + rows.Count, rows);
            next += rows.Count;
        }

        // Trending is per item and hour, not per person.
        foreach (var key in server.Keys(pattern: Prefix + "{p0}*"))
            await multiplexer.GetDatabase().KeyDeleteAsync(key);
        var used = await UsedAsync(server) - before;
        return BenchResult.Beside(
            "redis_memory", used / 1e9 * (1_000_000.0 / people), "GB per 1,000,000 users", 0.8,
            string.Create(CultureInfo.InvariantCulture,
            $"Redis' used_memory after less before, {people:N0} users with {EventsEach} events each; limit: Metarank's published 0.8 GB"));
    }

    private static async Task<long> UsedAsync(IServer server)
    {
        var memory = (await server.InfoAsync("memory")).SelectMany(section => section);
        return long.Parse(memory.Single(entry => entry.Key == "used_memory").Value, CultureInfo.InvariantCulture);
    }
}
