using StreamRec.Sources.Simulator;

namespace StreamRec.Demo;

/// <summary>What a demo is asked to do.</summary>
internal sealed record DemoOptions
{
    /// <summary>Events per second of the simulated marketplace where nothing is said.</summary>
    public const double SimulatedSpeed = 500;

    public required string Dataset { get; init; }
    public string? Data { get; init; }
    public string? Map { get; init; }

    /// <summary>Only the first so many interactions; 0 for all.</summary>
    public long Events { get; init; }

    /// <summary>Interactions per second; null as fast as the pipeline follows.</summary>
    public double? Speed { get; init; }

    /// <summary>Stop sending after so long; null sends everything.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>File the report is written to.</summary>
    public string? Report { get; init; }

    /// <summary>Neither the live picture nor the web console: plain lines only.</summary>
    public bool NoConsole { get; init; }
    public SimulatorOptions Simulator { get; init; } = new();

    public string SpeedText => Speed is { } speed ? $"{Glyphs.Count(speed)} events/s" : "full speed";
}
