using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Npgsql;
using StreamRec.Ingest;
using StreamRec.Scorer;

namespace StreamRec.Commands;

/// <summary><c>settings</c>: the settings in force, after file and environment, in the form of the settings file.</summary>
internal static class SettingsCommand
{
    /// <summary>The settings file's own form: camelCase, enums by name.</summary>
    public static JsonSerializerOptions FileForm { get; } = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        IgnoreReadOnlyProperties = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { WithoutShared } },
    };

    public static Command Create()
    {
        var command = new Command("settings", "Print the settings in force, in the form of streamrec.json; passwords are left out.");
        command.SetAction(parsed =>
        {
            var settings = CommandContext.Settings(parsed);
            var postgres = settings.Postgres.ConnectionString is { } s ? new NpgsqlConnectionStringBuilder(s) { Password = null }.ConnectionString : null;
            System.Console.WriteLine(JsonSerializer.Serialize(settings with { Postgres = settings.Postgres with { ConnectionString = postgres } }, FileForm));
            return 0;
        });
        return command;
    }

    /// <summary>Addresses and topics of the roles come from the kafka section; a second place to set them would be a place to forget.</summary>
    private static void WithoutShared(JsonTypeInfo type)
    {
        if (type.Type != typeof(IngestOptions) && type.Type != typeof(ScorerOptions))
            return;
        foreach (var shared in type.Properties.Where(p => p.Name is "bootstrapServers" or "topics").ToArray())
            type.Properties.Remove(shared);
    }
}
