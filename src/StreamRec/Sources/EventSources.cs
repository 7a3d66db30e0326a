using StreamRec.Sources.Simulator;

namespace StreamRec.Sources;

/// <summary>Opens a data set by its name on the command line.</summary>
public static class EventSources
{
    public static IReadOnlyList<string> Names { get; } = ["simulate", "ml-100k", "online-retail", "csv"];

    /// <param name="dataset">One of <see cref="Names"/>.</param>
    /// <param name="data">Folder or, for csv, file; not used by simulate.</param>
    /// <param name="map">Column mapping of csv.</param>
    /// <param name="events">Only the first so many interactions; 0 for all there are.</param>
    /// <param name="simulator">Options of simulate; <paramref name="events"/> is taken from it.</param>
    /// <exception cref="SourceException">The data set cannot be opened as asked; names the option.</exception>
    public static IEventSource Open(string dataset, string? data, string? map, long events, SimulatorOptions simulator)
    {
        if (events < 0)
            throw new SourceException($"--events {events} must not be negative");
        return dataset switch
        {
            "simulate" => new SimulatorSource(simulator),
            "ml-100k" => new MovieLensSource(Folder(dataset, data), events),
            "online-retail" => new OnlineRetailSource(Folder(dataset, data), events),
            "csv" => new CsvSource(data ?? throw new SourceException("--dataset csv needs --data FILE"), CsvMapping.Parse(map), events),
            _ => throw new SourceException($"--dataset '{dataset}' is not one of {string.Join(", ", Names)}"),
        };
    }

    private static string Folder(string dataset, string? data)
    {
        if (data is null)
            throw new SourceException($"--dataset {dataset} needs --data DIR");
        return Directory.Exists(data) ? data : throw new SourceException($"--data {data}: no such folder");
    }
}
