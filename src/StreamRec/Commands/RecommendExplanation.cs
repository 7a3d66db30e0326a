using System.Globalization;
using Spectre.Console;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Explanations;

namespace StreamRec.Commands;

/// <summary>
/// Why the graph channel scores a list's items as it does, from the model that made the list and the user's events in the store. Events that reached the scorer
/// but not yet the store are missing from it.
/// </summary>
internal sealed class RecommendExplanation(Settings settings, Connections stores, bool mask, bool neighbours)
{
    private const int ShownEvents = 3, ShownNeighbours = 5;

    /// <summary>One item's explanation.</summary>
    /// <param name="ItemId">The recommended item.</param>
    /// <param name="Title">Its title; null where the catalogue has none, here and below.</param>
    /// <param name="Events">The user's events, those that gain most first.</param>
    /// <param name="Probability">Of the item in the graph channel's softmax; null without --mask.</param>
    /// <param name="MaskedProbability">The same with the learned mask.</param>
    /// <param name="Neighbours">The item's neighbours in the item graph, most important first.</param>
    private sealed record Explanation(
        string ItemId, string? Title, IReadOnlyList<EventPart> Events, double? Probability, double? MaskedProbability, IReadOnlyList<NeighbourPart> Neighbours);

    private sealed record EventPart(string ItemId, string? Title, DateTimeOffset Time, float Attention, float Gain, float? Mask);

    private sealed record NeighbourPart(string ItemId, string? Title, float Importance);

    public async Task PrintAsync(RecommendationList list, string user, bool json, CancellationToken ct)
    {
        if (await stores.Registry.FindAsync(list.ModelVersion, ct) is not { } row)
        {
            System.Console.WriteLine($"model {list.ModelVersion} is not in the registry: nothing to explain beyond the reasons");
            return;
        }

        var artifact = ModelArtifact.Load(row.Path);
        var model = RankingModel.From(artifact);
        if (model.Graph is not { } graph)
        {
            System.Console.WriteLine($"model {list.ModelVersion} has no graph channel: nothing to explain beyond the reasons");
            return;
        }

        var recent = (await stores.Graph.RecentAsync(user, 2 * artifact.Manifest.Config.Encoder!.MaxHistory, ct)).Reverse().ToArray();
        UserEvent[] history = [.. recent.Select(e => new UserEvent(model.TryGetItem(e.ItemId, out var index) ? index : -1, e.Type, e.Value, e.TimeMs))];
        var attributes = new UserAttributes(artifact.Manifest.Config.UserAttributes ?? []).Encode(await stores.Graph.UserAttributesAsync(user, ct));
        var titles = await stores.Graph.TitlesAsync(recent.Select(e => e.ItemId).Concat(list.Items.Select(i => i.ItemId)), ct);
        var imports = neighbours ? await ImportancesAsync(ct) : null;
        var explanations = new List<Explanation>();
        foreach (var item in list.Items)
        {
            ct.ThrowIfCancellationRequested();
            if (model.TryGetItem(item.ItemId, out var index))
            {
                explanations.Add(
                    Explain(
                        artifact, graph, item.ItemId, index, recent, history, attributes,
                        list.GeneratedAt.ToUnixTimeMilliseconds(), titles, imports));
            }
        }

        if (json)
            CommandContext.PrintJson(explanations);
        else
            Print(explanations);
    }

    private Explanation Explain(
        ModelArtifact artifact, GnnChannel graph, string id, int item, RecentEvent[] recent, UserEvent[] history, int[] attributes, long nowMs,
        IReadOnlyDictionary<string, string> titles, Dictionary<string, NeighbourPart[]>? importances)
    {
        var context = new RankContext { History = history, Attributes = attributes, NowMs = nowMs, Counters = new LiveCounters(artifact.Items.Length) };
        var influences = graph.Explain(context, item);
        var learned = mask && influences.Length > 0 ? HistoryMask.Learn(artifact, history, nowMs, attributes, item) : null;
        var weights = learned?.Positions.Index().ToDictionary(p => p.Item, p => learned.Mask[p.Index]);
        return new Explanation(
            id,
            titles.GetValueOrDefault(id),
            [.. influences.OrderByDescending(e => e.Gain).Select(e => new EventPart(
                recent[e.Position].ItemId, titles.GetValueOrDefault(recent[e.Position].ItemId),
                DateTimeOffset.FromUnixTimeMilliseconds(recent[e.Position].TimeMs), e.Attention, e.Gain, weights?[e.Position]))],
            learned?.Probability, learned?.MaskedProbability, importances?.GetValueOrDefault(id) ?? []);
    }

    /// <summary>What graph layers see of each item: the nodes random walks from it visit most, with the importance they are pooled with.</summary>
    private async Task<Dictionary<string, NeighbourPart[]>> ImportancesAsync(CancellationToken ct)
    {
        var trainer = settings.Trainer;
        var snapshot = await stores.Graph.SnapshotAsync(null, ct);
        var data = new TrainingData(snapshot, null, EventTypes.Default, trainer.MaxCategories);
        var around = data.Neighbours(data.Log.Count, trainer.Neighbours, trainer.Seed, trainer.ThreadCount, ct);
        NeighbourPart Part(int item, float importance) =>
            new(snapshot.Items[item].ItemId, snapshot.Items[item].Title is { Length: > 0 } title ? title : null, importance);
        return Enumerable.Range(0, around.Rows).ToDictionary(
            row => snapshot.Items[row].ItemId,
            row => around.Of(row).ToArray().Zip(around.WeightsOf(row).ToArray(), Part).OrderByDescending(n => n.Importance).ToArray(),
            StringComparer.Ordinal);
    }

    /// <summary>An item as a person reads it: its id and, where it has one, its title.</summary>
    public static string Named(string itemId, string? title) => title is null ? itemId : $"{itemId} \"{title}\"";

    private static void Print(List<Explanation> explanations)
    {
        foreach (var e in explanations)
        {
            var name = Named(e.ItemId, e.Title);
            var tree = new Tree(Markup.Escape(e.Probability is { } p
                ? $"{name}: probability {Number(p)} in the graph channel, {Number(e.MaskedProbability!.Value)} by the masked history alone"
                : name));
            foreach (var part in e.Events.Take(ShownEvents))
            {
                var masked = part.Mask is { } m ? $", mask {Number(m)}" : "";
                tree.AddNode(Markup.Escape(
                    $"{Named(part.ItemId, part.Title)} of {part.Time:yyyy-MM-dd HH:mm}: "
                    + $"score {part.Gain.ToString("+0.000;-0.000", CultureInfo.InvariantCulture)}, attention {Number(part.Attention)}{masked}"));
            }

            if (e.Neighbours.Count > 0)
            {
                tree.AddNode(Markup.Escape(
                    "in the item graph beside "
                    + string.Join(
                        ", ",
                        e.Neighbours.Take(ShownNeighbours).Select(n => $"{Named(n.ItemId, n.Title)} ({Number(n.Importance)})"))));
            }
            AnsiConsole.Write(tree);
        }
    }

    private static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
