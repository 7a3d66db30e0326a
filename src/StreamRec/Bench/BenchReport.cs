using System.Text.Json;
using StreamRec.Console;

namespace StreamRec.Bench;

/// <summary>The JSON of <c>bench --report</c>: <c>{machine, results:[{name, value, unit, limit_value, ratio, how}]}</c>.</summary>
internal static class BenchReport
{
    private static readonly JsonSerializerOptions Indented = new(ConsoleJson.Options) { WriteIndented = true };

    public static void Write(string file, IReadOnlyList<BenchResult> results)
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1L << 30);
        var machine = $"{Environment.ProcessorCount} cores, {memory} GiB, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}{Load()}";
        File.WriteAllText(file, JsonSerializer.Serialize(new { machine, results }, Indented));
    }

    /// <summary>Other work on the machine makes every number smaller, so it is told beside them.</summary>
    private static string Load() => File.Exists("/proc/loadavg") ? ", load " + File.ReadAllText("/proc/loadavg").Split(' ')[0] : "";
}
