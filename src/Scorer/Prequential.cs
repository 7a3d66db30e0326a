namespace StreamRec.Scorer;

/// <summary>
/// Mean metrics over <paramref name="N"/> next-event tests: HR@k = share of events whose item stood among the first k;
/// NDCG@10 = 1/log2(rank+1) within 10; MRR@20 = 1/rank within 20. All 0 while N is 0.
/// </summary>
public sealed record PrequentialMetrics(long N, double Hr10, double Hr20, double Ndcg10, double Mrr20);

/// <summary>The lists one model version made, and windowed popularity on exactly the same events. Version 0 is "no model yet".</summary>
public sealed record ModelPrequential(long Version, PrequentialMetrics Served, PrequentialMetrics Popularity);

/// <summary>One stretch of the stream, for drawing accuracy over time.</summary>
/// <param name="EventsEnd">Tested events up to and including this window.</param>
/// <param name="LastEventMs">Event time of the window's last event, Unix milliseconds.</param>
/// <param name="LastVersion">Model version of the window's last tested list.</param>
/// <param name="Served">Of the window's events alone.</param>
/// <param name="Popularity">Of the window's events alone.</param>
public sealed record PrequentialWindow(long EventsEnd, long LastEventMs, long LastVersion, PrequentialMetrics Served, PrequentialMetrics Popularity);

/// <summary>Everything measured so far.</summary>
/// <param name="Served">All tested events.</param>
/// <param name="Popularity">Windowed popularity on the same events.</param>
/// <param name="ByModel">Per version of the tested list, ascending.</param>
/// <param name="Windows">Closed windows, oldest first; see <see cref="ScorerOptions.PrequentialWindow"/>.</param>
public sealed record PrequentialReport(
    PrequentialMetrics Served, PrequentialMetrics Popularity, IReadOnlyList<ModelPrequential> ByModel, IReadOnlyList<PrequentialWindow> Windows);
