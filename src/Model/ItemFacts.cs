namespace StreamRec.Model;

/// <summary>
/// What the blend knows of items beside what the channels say: when each was first touched, how long people usually wait before they come back for it, and how
/// often a touch is a return. Immutable. Unknown items and models without these tensors have the value 0.
/// </summary>
public sealed class ItemFacts
{
    private const double DayMs = 86_400_000;
    private readonly float[] _first, _interval, _repeats;

    private ItemFacts(float[] first, float[] interval, float[] repeats) => (_first, _interval, _repeats) = (first, interval, repeats);

    public static ItemFacts None { get; } = new([], [], []);

    /// <summary>Days since 1970 of the first event; 0 = never touched.</summary>
    public float FirstDay(int item) => item < _first.Length ? _first[item] : 0;

    /// <summary>Geometric mean of the days between two events of one person on the item; 0 = nobody came back.</summary>
    public float IntervalDays(int item) => item < _interval.Length ? _interval[item] : 0;

    /// <summary>Share of the item's events by people who had it before.</summary>
    public float RepeatShare(int item) => item < _repeats.Length ? _repeats[item] : 0;

    /// <summary>From the positive events; O(events).</summary>
    public static ItemFacts Fit(ModelConfig config, FitEvents events)
    {
        var (first, logs, gaps, count) = (new float[events.Items], new double[events.Items], new int[events.Items], new int[events.Items]);
        var repeats = new float[events.Items];
        var last = new Dictionary<long, long>();
        for (var e = 0; e < events.Item.Length; e++)
        {
            var item = events.Item[e];
            if (item < 0 || events.Type[e] >= config.EventWeights.Count || config.EventWeights[events.Type[e]] <= 0)
                continue;
            var time = events.TimeMs![e];
            if (count[item]++ == 0)
                first[item] = (float)(time / DayMs);
            var key = ((long)events.User[e] << 32) | (uint)item;
            if (last.TryGetValue(key, out var before))
            {
                repeats[item]++;
                if (time > before)
                {
                    logs[item] += Math.Log(1 + ((time - before) / DayMs));
                    gaps[item]++;
                }
            }

            last[key] = time;
        }

        var interval = new float[events.Items];
        for (var i = 0; i < events.Items; i++)
        {
            interval[i] = gaps[i] == 0 ? 0 : (float)(Math.Exp(logs[i] / gaps[i]) - 1);
            repeats[i] /= Math.Max(1, count[i]);
        }

        return new ItemFacts(first, interval, repeats);
    }

    /// <summary><see cref="None"/> for an artifact without these tensors.</summary>
    public static ItemFacts Read(ModelArtifact artifact)
    {
        if (!artifact.Tensors.ContainsKey(TensorNames.ItemFirst))
            return None;
        float[] Of(string name) => artifact.Require(name, artifact.Items.Length);
        return new ItemFacts(Of(TensorNames.ItemFirst), Of(TensorNames.ItemInterval), Of(TensorNames.ItemRepeats));
    }

    public void Write(IDictionary<string, (long[] Shape, float[] Data)> tensors)
    {
        tensors[TensorNames.ItemFirst] = ([_first.Length], _first);
        tensors[TensorNames.ItemInterval] = ([_interval.Length], _interval);
        tensors[TensorNames.ItemRepeats] = ([_repeats.Length], _repeats);
    }
}
