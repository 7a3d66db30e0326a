using System.Text.Json;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Console;

/// <summary>JSON settings of the API: snake_case, as on the topics.</summary>
public static class ConsoleJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DictionaryKeyPolicy = null,
    };
}

/// <summary>What an act answers with.</summary>
public sealed record Said(string Message);

/// <summary>Body of /v1/overview.</summary>
public sealed record Overview(GraphStats Graph, LiveStatus? Live, IReadOnlyList<ModelView> Models, IReadOnlyList<TrainRun> Runs);

/// <summary>A model version without its manifest.</summary>
public sealed record ModelView(
    long Version, string Name, string Status, long? Parent, string Digest, DateTimeOffset CreatedAt, DateTimeOffset? PromotedAt,
    IReadOnlyDictionary<string, double> Metrics)
{
    public static ModelView From(RegisteredModel model) =>
        new(model.Version, model.Name, model.Status, model.Parent, model.Digest, model.CreatedAt, model.PromotedAt, model.Metrics);
}

/// <summary>One of a user's newest events.</summary>
public sealed record UserEventView(string ItemId, string? Title, string Type, float? Value, DateTimeOffset Time);

/// <summary>Body of /v1/users/{id}: newest events, latest list as published, and the titles of everything named.</summary>
public sealed record UserView(string UserId, IReadOnlyList<UserEventView> Recent, JsonElement? List, IReadOnlyDictionary<string, string> Titles);
