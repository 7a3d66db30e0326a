using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using StreamRec.Console;

namespace StreamRec.Commands;

/// <summary>What the verbs share: the --config and --json options, settings with the addresses filled in, and errors told in one line.</summary>
internal static class CommandContext
{
    public static Option<string?> Config { get; } = new("--config")
    {
        Description = "Settings file; default streamrec.json in the working directory, if it is there.",
        Recursive = true,
    };

    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON instead of a table." };

    /// <summary>Settings from file and environment, addresses from the well-known variables or the servers that <c>streamrec up</c> started.</summary>
    public static Settings Settings(ParseResult parsed)
    {
        var settings = SettingsReader.Read(parsed.GetValue(Config));
        var up = RunningServers.Find();
        return settings with
        {
            Kafka = settings.Kafka with { BootstrapServers = settings.Kafka.BootstrapServers ?? Variable("STREAMREC_KAFKA_BOOTSTRAP") ?? up?.KafkaBootstrap },
            Postgres = settings.Postgres with
            {
                ConnectionString = settings.Postgres.ConnectionString ?? Variable("STREAMREC_POSTGRES") ?? up?.PostgresConnectionString,
            },
            Redis = settings.Redis with { ConnectionString = settings.Redis.ConnectionString ?? Variable("STREAMREC_REDIS") ?? up?.RedisConnectionString },
        };
    }

    /// <summary>Console logging to standard error, so that standard output stays data.</summary>
    public static ILoggerFactory Loggers(LogLevel level = LogLevel.Information) => LoggerFactory.Create(logging => logging
        .SetMinimumLevel(level)
        .AddFilter("MassTransit", LogLevel.Warning)
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));

    /// <summary>Opens the stores for a short-lived verb and runs it.</summary>
    public static async Task<int> WithStoresAsync(ParseResult parsed, Func<Settings, Connections, Task<int>> work, CancellationToken ct)
    {
        var settings = Settings(parsed).Resolved();
        using var loggers = Loggers(LogLevel.Warning);
        await using var connections = await Connections.OpenAsync(settings, loggers, ct);
        return await work(settings, connections);
    }

    public static void PrintJson<T>(T value) => System.Console.WriteLine(JsonSerializer.Serialize(value, IndentedJson));

    public static int Fail(string message)
    {
        System.Console.Error.WriteLine($"streamrec: {message}");
        return 1;
    }

    private static JsonSerializerOptions IndentedJson { get; } = new(ConsoleJson.Options) { WriteIndented = true };

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
