using System.Globalization;
using StreamRec.Model;

namespace StreamRec.Demo;

/// <summary>What is shown where there is no terminal: a line every few seconds and one for each thing that happens.</summary>
internal sealed class PlainProgress(TextWriter to, TimeSpan every)
{
    private readonly Dictionary<Guid, string> _runs = [];
    private TimeSpan _next;
    private DemoPhase _phase = DemoPhase.Starting;
    private long _serving;

    public void Show(DemoSnapshot s)
    {
        foreach (var run in s.Runs.Reverse())
        {
            if (_runs.GetValueOrDefault(run.RunId) == run.Status)
                continue;
            _runs[run.RunId] = run.Status;
            Line(
                s,
                $"training {run.Status}{(run.Version is { } v ? $" v{v}" : "")}: {run.Reason}{Metrics(run)}"
                + (run.Error is { Length: > 0 } e ? $": {e}" : ""));
        }

        if (s.ServingVersion != _serving)
        {
            _serving = s.ServingVersion;
            Line(s, $"model v{_serving} serves");
        }

        if (s.Phase != _phase)
        {
            _phase = s.Phase;
            Line(s, _phase switch
            {
                DemoPhase.Replaying => "replaying",
                DemoPhase.Draining => "all sent; ingest and scorer take what is left",
                DemoPhase.LastTraining => "all scored; a training run is still under way",
                _ => "done",
            });
        }

        if (s.Elapsed < _next)
            return;
        _next = s.Elapsed + every;
        var hr = s.Prequential.Windows.Count > 0 ? s.Prequential.Windows[^1] : null;
        var accuracy = hr is null ? "" : string.Create(CultureInfo.InvariantCulture, $", HR@10 {hr.Served.Hr10:0.000} (popularity {hr.Popularity.Hr10:0.000})");
        Line(s, string.Create(CultureInfo.InvariantCulture,
            $"sent {s.Sent:N0} of {s.Total:N0}, applied {s.Applied:N0}, duplicates {s.Duplicates:N0}, "
            + $"dead letters {s.DeadLetters.Values.Sum():N0}, lag {s.IngestLag:N0}/{s.ScorerLag:N0}, "
            + $"lists {s.Lists:N0}, event to list p50 {s.EventToList.P50:0} ms p99 {s.EventToList.P99:0} ms{accuracy}"));
    }

    private static string Metrics(TrainRun run) => run.Metrics.TryGetValue("ndcg_10", out var ndcg) && run.Status != RunStatus.Running
        ? string.Create(CultureInfo.InvariantCulture, $" (holdout NDCG@10 {ndcg:0.0000})")
        : "";

    private void Line(DemoSnapshot s, string text) => to.WriteLine($"{Glyphs.Clock(s.Elapsed),6}  {text}");
}
