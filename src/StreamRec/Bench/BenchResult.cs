namespace StreamRec.Bench;

/// <summary>One measured number beside its limit, as the report carries it.</summary>
/// <param name="Name">Stable name, such as live_graph_insert.</param>
/// <param name="Value">What was measured.</param>
/// <param name="Unit">edges/s, bytes, ms …</param>
/// <param name="LimitValue">What the machine could do at best, measured in the same run; null where there is no such thing.</param>
/// <param name="Ratio"><paramref name="Value"/> / <paramref name="LimitValue"/>.</param>
/// <param name="How">What was run and what the limit is, in a sentence.</param>
public sealed record BenchResult(string Name, double Value, string Unit, double? LimitValue, double? Ratio, string How)
{
    public static BenchResult Beside(string name, double value, string unit, double limit, string how) => new(name, value, unit, limit, value / limit, how);

    public static BenchResult Alone(string name, double value, string unit, string how) => new(name, value, unit, null, null, how);
}
