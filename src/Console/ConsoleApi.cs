using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using StreamRec.Model;

namespace StreamRec.Console;

/// <summary>
/// The HTTP API: health, metrics, overview, one user's list, models and training. JSON in snake_case; errors are problem details (RFC 9457)
/// whose detail says what to do. Every act is written to the audit table by the registry.
/// </summary>
public static class ConsoleApi
{
    private const string By = "http";

    public static void MapConsole(this IEndpointRouteBuilder app, ConsoleServices services)
    {
        app.MapProbes(services);
        app.MapPage();
        app.MapGet("/v1/overview", (CancellationToken ct) => OverviewAsync(services, ct)).WithName("Overview");
        app.MapGet("/v1/users/{userId}", (string userId, CancellationToken ct) => UserAsync(services, userId, ct)).WithName("User");
        app.MapGet("/v1/users/{userId}/recommendations", (string userId, CancellationToken ct) => LatestListAsync(services, userId, ct))
            .WithName("LatestList");
        app.MapGet("/v1/models", async (CancellationToken ct) => (await services.Registry.ListAsync(100, ct)).Select(ModelView.From)).WithName("Models");
        app.MapPost("/v1/models/{version:long}/promote", (long version, CancellationToken ct) => PromoteAsync(services, version, ct)).WithName("Promote");
        app.MapPost("/v1/models/rollback", (CancellationToken ct) => RollbackAsync(services, ct)).WithName("Rollback");
        app.MapPost("/v1/train", (bool? fine_tune, CancellationToken ct) => TrainAsync(services, fine_tune ?? false, ct)).WithName("Train");
    }

    /// <summary>Liveness, readiness and metrics: what every role serves, also without the page.</summary>
    public static void MapProbes(this IEndpointRouteBuilder app, ConsoleServices services)
    {
        app.MapGet("/health/live", () => TypedResults.Text("ok")).ExcludeFromDescription();
        app.MapGet("/health/ready", IResult () => services.Unhealthy() is { } why
            ? TypedResults.Problem(why, statusCode: StatusCodes.Status503ServiceUnavailable)
            : TypedResults.Text("ready")).ExcludeFromDescription();
        app.MapGet("/metrics", () => TypedResults.Text(services.Metrics.Scrape(), "text/plain; version=0.0.4")).ExcludeFromDescription();
    }

    private static async Task<Overview> OverviewAsync(ConsoleServices services, CancellationToken ct)
    {
        var graph = await services.Graph.StatsAsync(ct);
        var models = await services.Registry.ListAsync(20, ct);
        var runs = await services.Registry.Runs.ListAsync(20, ct);
        return new Overview(graph, services.Live(), [.. models.Select(ModelView.From)], runs);
    }

    private static async Task<IResult> UserAsync(ConsoleServices services, string userId, CancellationToken ct)
    {
        var recent = await services.Graph.RecentAsync(userId, 20, ct);
        var latest = await services.Redis.LatestAsync(userId);
        if (recent.Count == 0 && latest is null)
            return TypedResults.Problem($"user '{userId}' has no events and no list", statusCode: StatusCodes.Status404NotFound);
        using var list = latest is null ? null : JsonDocument.Parse(latest);
        var titles = await services.Graph.TitlesAsync(recent.Select(e => e.ItemId).Concat(NamedItems(list)), ct);
        var events = recent.Select(e => new UserEventView(
            e.ItemId, titles.GetValueOrDefault(e.ItemId), services.Types.Find(e.Type)?.Name ?? "?", float.IsNaN(e.Value) ? null : e.Value,
            DateTimeOffset.FromUnixTimeMilliseconds(e.TimeMs)));
        return TypedResults.Json(new UserView(userId, [.. events], list?.RootElement.Clone(), titles), ConsoleJson.Options);
    }

    /// <summary>The items of a list and those their reasons rest on.</summary>
    private static IEnumerable<string> NamedItems(JsonDocument? list) =>
        list is null ? [] : list.RootElement.GetProperty("items").EnumerateArray().SelectMany(
            i => i.GetProperty("evidence").EnumerateArray().Prepend(i.GetProperty("item_id")).Select(id => id.GetString()!));

    private static async Task<IResult> LatestListAsync(ConsoleServices services, string userId, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return await services.Redis.LatestAsync(userId) is { } json
            ? TypedResults.Bytes(json, "application/json")
            : TypedResults.Problem($"user '{userId}' has no list yet; send a request on the requests topic", statusCode: StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Ok<Said>, ProblemHttpResult>> PromoteAsync(ConsoleServices services, long version, CancellationToken ct)
    {
        try
        {
            var from = await services.Registry.PromoteAsync(version, By, ct);
            await services.ChampionChanged(from, version, By, ct);
            return TypedResults.Ok(new Said($"model {version} serves now"));
        }
        catch (InvalidOperationException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status409Conflict);
        }
    }

    private static async Task<Results<Ok<Said>, ProblemHttpResult>> RollbackAsync(ConsoleServices services, CancellationToken ct)
    {
        try
        {
            var (from, to) = await services.Registry.RollbackAsync(services.ModelName, By, ct);
            await services.ChampionChanged(from, to, By, ct);
            return TypedResults.Ok(new Said($"rolled back from model {from} to {to}"));
        }
        catch (InvalidOperationException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status409Conflict);
        }
    }

    private static async Task<Accepted<Said>> TrainAsync(ConsoleServices services, bool fineTune, CancellationToken ct)
    {
        var run = await services.RequestTraining(fineTune, By, ct);
        return TypedResults.Accepted("/v1/overview", new Said($"training run {run} asked for"));
    }
}
