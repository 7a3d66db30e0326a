using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StreamRec.Model;
using StreamRec.Model.Maps;

namespace StreamRec.Commands;

/// <summary><c>models map VERSION</c>: the items of a model on a plane, and their vectors for TensorBoard's projector.</summary>
internal static class ModelMapCommand
{
    public static Command Create()
    {
        var version = new Argument<long>("version") { Description = "Model version, as 'models list' shows it." };
        var output = new Option<string>("--out") { Description = "SVG file to write.", Required = true };
        var items = new Option<int>("--items") { Description = "Items on the map at most, those with most events.", DefaultValueFactory = _ => 2_000 };
        var projector = new Option<string?>("--projector")
        {
            Description = "Also write vectors.tsv, metadata.tsv and projector_config.pbtxt of all items into this folder (tensorboard --logdir FOLDER).",
        };
        var text = new Option<bool>("--text") { Description = "The items' text vectors instead of their graph vectors." };
        var command = new Command("map", "Draw a model's items, near ones near each other, coloured by category.") { version, output, items, projector, text };
        command.SetAction((parsed, ct) => CommandContext.WithStoresAsync(parsed, async (_, stores) =>
        {
            if (await stores.Registry.FindAsync(parsed.GetValue(version), ct) is not { } row)
                return CommandContext.Fail($"there is no model version {parsed.GetValue(version)}");
            var artifact = ModelArtifact.Load(row.Path);
            var tensor = parsed.GetValue(text) ? TensorNames.ItemText : TensorNames.ItemVectors;
            if (!artifact.Tensors.TryGetValue(tensor, out var vectors))
            {
                return CommandContext.Fail(
                    $"model {row.Version} has no tensor '{tensor}'; "
                    + $"it has {string.Join(", ", artifact.Tensors.Keys.Where(k => k.StartsWith("item.", StringComparison.Ordinal)).Order())}");
            }
            var catalogue = (await stores.Graph.CatalogueAsync(ct)).ToDictionary(i => i.ItemId, StringComparer.Ordinal);
            MapLabel[] labels =
            [
                .. artifact.Items.Select(id => catalogue.TryGetValue(id, out var item)
                    ? new MapLabel(id, item.Title, item.Categories.Count > 0 ? item.Categories[0] : "")
                    : new MapLabel(id, "", ""))
            ];
            var width = (int)vectors.Shape[1];
            if (parsed.GetValue(projector) is { } folder)
                ItemMap.WriteProjector(folder, vectors.Data, width, labels);

            var count = artifact.Tensors.TryGetValue(TensorNames.ItemCount, out var counts) ? counts.Data : new float[labels.Length];
            int[] shown = [.. Enumerable.Range(0, labels.Length).Where(i => vectors.Data.AsSpan(i * width, width).ContainsAnyExcept(0f))
                .OrderByDescending(i => count[i]).ThenBy(i => i).Take(parsed.GetValue(items))];
            if (shown.Length == 0)
                return CommandContext.Fail($"no item of model {row.Version} has a vector in '{tensor}'");
            float[] chosen = [.. shown.SelectMany(i => vectors.Data[(i * width)..((i + 1) * width)])];
            var (x, y) = (Array.Empty<float>(), Array.Empty<float>());
            await AnsiConsole.Progress().StartAsync(async progress =>
            {
                var options = new TSneOptions();
                var bar = progress.AddTask("placing items", maxValue: options.Iterations);
                (x, y) = await Task.Run(() => TSne.Embed(chosen, width, options, step => bar.Value = step, ct), ct);
            });
            var caption = $"{(tensor == TensorNames.ItemText ? "Text" : "Graph")} vectors of {shown.Length} items, model v{row.Version}";
            await File.WriteAllTextAsync(parsed.GetValue(output)!, ItemMap.Svg(caption, x, y, [.. shown.Select(i => labels[i])]), ct);
            System.Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shown.Length} of {labels.Length} items: {parsed.GetValue(output)}"));
            return 0;
        }, ct));
        return command;
    }
}
