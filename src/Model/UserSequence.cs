using StreamRec.Contracts;

namespace StreamRec.Model;

/// <summary>
/// The encoder's input rows for one user at one moment, oldest first; shared by trainer and scorer so that both read a history the same way.
/// Rules: only items the model has vectors for (0 ≤ item &lt; items) are kept, then the newest MaxHistory of them; the time rows are between
/// kept neighbours.
/// <list type="bullet">
/// <item>gap[t]: bucket of time[t] − time[t−1]; 0 (none) for the first kept event.</item>
/// <item>ask[t]: bucket of the time from this event to the question it was answered by: time[t+1] − time[t], and now − time for the newest one.
/// This way a causal sequence with a target at every position is trained on exactly what the newest position sees when it serves.</item>
/// <item>pos[t] = t, counted from the oldest kept event: in a causal sequence trained at every position, a prefix then looks exactly like a
/// short history in service. Counted from the newest it would not: the prefix's newest event would carry another row than in service.</item>
/// </list>
/// </summary>
public static class UserSequence
{
    /// <summary>One row of input: indices into the item, type, value, gap and ask tables.</summary>
    public readonly record struct Row(int Item, byte Type, byte Value, byte Gap, byte Ask);

    /// <summary>Fills <paramref name="rows"/> (its length is the most that is kept), oldest first. O(history), no allocation.</summary>
    /// <param name="history">Oldest first, newest last.</param>
    /// <param name="nowMs">The moment of the question, Unix milliseconds.</param>
    /// <param name="items">Items with vectors.</param>
    /// <param name="rows">Output.</param>
    /// <param name="source">Output, as long as <paramref name="rows"/>: the position in <paramref name="history"/> of each row.</param>
    /// <returns>Rows written.</returns>
    public static int Fill(ReadOnlySpan<UserEvent> history, long nowMs, int items, Span<Row> rows, Span<int> source)
    {
        var count = 0;
        for (var i = history.Length - 1; i >= 0 && count < rows.Length; i--)
        {
            if ((uint)history[i].Item < (uint)items)
                source[count++] = i;
        }

        source[..count].Reverse();
        for (var t = 0; t < count; t++)
        {
            var e = history[source[t]];
            var gap = t == 0 ? 0 : Buckets.Time(e.TimeMs - history[source[t - 1]].TimeMs);
            var next = t == count - 1 ? nowMs : history[source[t + 1]].TimeMs;
            rows[t] = new Row(e.Item, e.Type, (byte)Buckets.Value(e.Value), (byte)gap, (byte)Buckets.Time(next - e.TimeMs));
        }

        return count;
    }
}
