using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;

namespace StreamRec.Console;

/// <summary>What the HTTP API works with. The delegates are how an act reaches the control plane, which this project does not know.</summary>
public sealed record ConsoleServices
{
    public required PostgresGraph Graph { get; init; }
    public required RedisGraph Redis { get; init; }
    public required ModelRegistry Registry { get; init; }
    public required EventTypes Types { get; init; }
    public required PrometheusMetrics Metrics { get; init; }

    /// <summary>Name of the model whose champion serves.</summary>
    public required string ModelName { get; init; }

    /// <summary>Asks for a training run (fine-tune, asked by) and returns its id.</summary>
    public required Func<bool, string, CancellationToken, Task<Guid>> RequestTraining { get; init; }

    /// <summary>Tells the scorers that the champion changed: (from, to, by).</summary>
    public required Func<long?, long, string, CancellationToken, Task> ChampionChanged { get; init; }

    /// <summary>Live numbers of the roles in this process; null where none runs here.</summary>
    public Func<LiveStatus?> Live { get; init; } = () => null;

    /// <summary>Why this process is not fit to serve; null when it is.</summary>
    public Func<string?> Unhealthy { get; init; } = () => null;
}

/// <summary>Live numbers of the roles in one process, as the page shows them.</summary>
/// <param name="EventsPerS">Applied events per second, averaged over the last seconds.</param>
/// <param name="Lag">Events on the topic not yet applied.</param>
/// <param name="DeadLetters">Events set aside.</param>
/// <param name="Lists">Lists produced.</param>
/// <param name="EventToList">Milliseconds from the causing event to its list.</param>
/// <param name="HitRate">HR@10 per window of the stream, oldest first.</param>
public sealed record LiveStatus(
    double EventsPerS, long Lag, long DeadLetters, long Lists, LatencyStatus? EventToList, IReadOnlyList<HitRatePoint> HitRate);

/// <param name="P50">Median, ms.</param>
/// <param name="P99">99th percentile, ms.</param>
public sealed record LatencyStatus(double P50, double P99);

/// <param name="Events">Tested events up to here.</param>
/// <param name="Served">HR@10 of the served lists in this window.</param>
/// <param name="Popularity">HR@10 of windowed popularity on the same events.</param>
public sealed record HitRatePoint(long Events, double Served, double Popularity);
