using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Trainer.Data;

/// <summary>One text vector per item, row-major and L2-normalised; a row of zeros = no text. Half: the artifact keeps them as float16.</summary>
public sealed record TextVectors(float[] Vectors, int Dim, bool Half = false);

/// <summary>
/// What a run learns from: the snapshot's events in time order, its items with their features. Model item index = snapshot item index.
/// </summary>
public sealed class TrainingData
{
    public TrainingData(GraphSnapshot snapshot, TextVectors? text, EventTypes types, int maxCategories)
    {
        (Snapshot, Text, Types) = (snapshot, text, types);
        Attributes = snapshot.Attributes is null ? new UserAttributes([]) : UserAttributes.Learn(snapshot.Attributes);
        Log = EventLog.From(snapshot, Attributes);
        if (text is not null && text.Vectors.Length != snapshot.Items.Length * text.Dim)
            throw new ArgumentException($"{text.Vectors.Length} text values are not {snapshot.Items.Length} items × {text.Dim}", nameof(text));
        ItemIds = [.. snapshot.Items.Select(i => i.ItemId)];
        Features = new ItemFeatures(text?.Vectors, text?.Dim ?? 0, CategoriesOf(snapshot.Items, maxCategories, out var count), count);
    }

    public GraphSnapshot Snapshot { get; }
    public TextVectors? Text { get; }
    public EventTypes Types { get; }
    public EventLog Log { get; }

    /// <summary>The table of user attributes; without entries when nothing is known of the users.</summary>
    public UserAttributes Attributes { get; }
    public string[] ItemIds { get; }
    public ItemFeatures Features { get; }

    /// <summary>Share of positive events on an item the same user had a positive event on before.</summary>
    public double RepeatShare()
    {
        var seen = new HashSet<long>();
        int repeats = 0, positive = 0;
        for (var e = 0; e < Log.Count; e++)
        {
            if (!Types.IsPositive(Log.Type[e]))
                continue;
            positive++;
            repeats += seen.Add(((long)Log.User[e] << 32) | (uint)Log.Item[e]) ? 0 : 1;
        }

        return positive == 0 ? 0 : (double)repeats / positive;
    }

    /// <summary>Random-walk neighbourhoods over the positive events before <paramref name="end"/>.</summary>
    public Neighbourhoods Neighbours(int end, int width, int seed, int threads, CancellationToken cancel)
    {
        var kept = Enumerable.Range(0, end).Where(e => Types.IsPositive(Log.Type[e])).ToArray();
        T[] Pick<T>(T[] column) => Array.ConvertAll(kept, e => column[e]);
        var graph = CsrGraph.Build(Log.Users, Log.Items, Pick(Log.User), Pick(Log.Item), Pick(Log.Type), Pick(Log.Value), Pick(Log.TimeMs));
        return Samplers.RandomWalkNeighbours(graph, new WalkSampling { Width = width }, (ulong)seed, threads, cancel);
    }

    /// <summary>The events before <paramref name="end"/> as the closed-form channels want them.</summary>
    public FitEvents FitEvents(int end) => new(Log.User[..end], Log.Item[..end], Log.Type[..end], Log.Users, Log.Items, Log.TimeMs[..end]);

    /// <summary>Which items have a positive event before <paramref name="end"/>.</summary>
    public bool[] Touched(int end)
    {
        var touched = new bool[Log.Items];
        for (var e = 0; e < end; e++)
            touched[Log.Item[e]] |= Types.IsPositive(Log.Type[e]);
        return touched;
    }

    private static int[][] CategoriesOf(ItemRecord[] items, int max, out int count)
    {
        var kept = items.SelectMany(i => i.Categories).GroupBy(c => c, StringComparer.Ordinal)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Take(max).Select(g => g.Key).ToArray();
        var code = kept.Index().ToDictionary(c => c.Item, c => c.Index, StringComparer.Ordinal);
        count = kept.Length;
        return [.. items.Select(i => i.Categories.Distinct(StringComparer.Ordinal).Where(code.ContainsKey).Select(c => code[c]).ToArray())];
    }
}
