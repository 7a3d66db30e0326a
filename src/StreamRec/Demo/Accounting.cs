using System.Globalization;

namespace StreamRec.Demo;

/// <summary>What the pipeline says became of the events.</summary>
/// <param name="Produced">Interactions the broker acknowledged to the replay.</param>
/// <param name="Applied">Rows added to the graph, as Postgres counted them.</param>
/// <param name="Duplicates">Recognised as repeats, as Postgres counted them.</param>
/// <param name="DeadLetters">Set aside, by reason code, as Postgres counted them.</param>
/// <param name="Lost">Deleted by the broker before they were read.</param>
/// <param name="Digest">Of the graph in Postgres.</param>
internal sealed record Outcome(long Produced, long Applied, long Duplicates, IReadOnlyDictionary<string, long> DeadLetters, long Lost, string Digest)
{
    public long DeadLetterTotal => DeadLetters.Values.Sum();
}

/// <summary>Holds the outcome against itself and against what the input demands. Pure.</summary>
internal static class Accounting
{
    /// <summary>What does not add up, in words; empty when everything does.</summary>
    /// <param name="outcome">The pipeline's numbers.</param>
    /// <param name="expected">The input's; null where events came from elsewhere too, so that only the sum can be checked.</param>
    public static IReadOnlyList<string> Faults(Outcome outcome, ExpectedOutcome? expected)
    {
        var faults = new List<string>();
        var accounted = outcome.Applied + outcome.Duplicates + outcome.DeadLetterTotal;
        if (accounted != outcome.Produced)
        {
            faults.Add(
                Text($"produced {outcome.Produced:N0}, but applied {outcome.Applied:N0} + duplicates {outcome.Duplicates:N0} ")
                + Text($"+ dead letters {outcome.DeadLetterTotal:N0} = {accounted:N0}"));
        }
        if (outcome.Lost != 0)
            faults.Add(Text($"{outcome.Lost:N0} events were deleted by the broker before they were read"));
        if (expected is null)
            return faults;
        if (outcome.Applied != expected.Applied)
            faults.Add(Text($"applied {outcome.Applied:N0}, the input holds {expected.Applied:N0} distinct good events"));
        if (outcome.Duplicates != expected.Duplicates)
            faults.Add(Text($"duplicates {outcome.Duplicates:N0}, the input holds {expected.Duplicates:N0}"));
        foreach (var reason in outcome.DeadLetters.Keys.Union(expected.DeadLetters.Keys).Order(StringComparer.Ordinal))
        {
            var (had, wanted) = (outcome.DeadLetters.GetValueOrDefault(reason), expected.DeadLetters.GetValueOrDefault(reason));
            if (had != wanted)
                faults.Add(Text($"dead letters with reason {reason}: {had:N0}, the input holds {wanted:N0}"));
        }

        if (faults.Count == 0 && outcome.Digest != expected.Digest)
            faults.Add(Text($"graph digest {outcome.Digest}, straight from the input {expected.Digest}"));
        return faults;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The input's own numbers, see <see cref="Expected"/>.</summary>
internal sealed record ExpectedOutcome(long Applied, long Duplicates, IReadOnlyDictionary<string, long> DeadLetters, string Digest)
{
    public long Produced => Applied + Duplicates + DeadLetters.Values.Sum();
}
