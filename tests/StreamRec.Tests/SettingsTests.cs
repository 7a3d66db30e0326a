using System.Text.Json;
using StreamRec.Commands;
using Xunit;

namespace StreamRec.Tests;

/// <summary>The settings file documents every field, so it must hold the defaults and nothing else.</summary>
public sealed class SettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streamrec-settings-").FullName;

    [Fact]
    public void The_settings_file_of_the_repository_holds_exactly_the_defaults()
    {
        var read = SettingsReader.Read(Path.Combine(RepositoryFiles.Root, "streamrec.json"));
        Assert.Equal(Form(new Settings()), Form(read));
    }

    [Fact]
    public void The_settings_file_of_the_repository_names_every_field()
    {
        using var file = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(RepositoryFiles.Root, "streamrec.json")), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
        using var defaults = JsonDocument.Parse(Form(new Settings()));
        Assert.Empty(Paths(defaults.RootElement, "").Except(Paths(file.RootElement, "")));
    }

    [Fact]
    public void A_field_the_program_does_not_know_is_an_error_that_names_it()
    {
        var error = Assert.Throws<SettingsException>(() => SettingsReader.Read(Write("""{ "scorer": { "listLenght": 10 } }""")));
        Assert.Contains("listLenght", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_of_the_wrong_kind_is_an_error_that_names_field_and_value()
    {
        var error = Assert.Throws<SettingsException>(() => SettingsReader.Read(Write("""{ "scorer": { "listLength": "many" } }""")));
        Assert.Contains("many", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_overrides_a_default_and_shared_addresses_reach_the_roles()
    {
        var settings = SettingsReader.Read(Write(
                """{ "kafka": { "bootstrapServers": "k:1", "topicPrefix": "x." }, "scorer": { "listLength": 7 } }"""))
            .Resolved();
        Assert.Equal(7, settings.Scorer.ListLength);
        Assert.Equal("k:1", settings.Ingest.BootstrapServers);
        Assert.Equal("x.interactions.v1", settings.Scorer.Topics.Interactions);
    }

    [Fact]
    public void A_named_file_that_is_missing_is_an_error()
    {
        Assert.Throws<SettingsException>(() => SettingsReader.Read(Path.Combine(_folder, "none.json")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string json)
    {
        var file = Path.Combine(_folder, "settings.json");
        File.WriteAllText(file, json);
        return file;
    }

    private static string Form(Settings settings) => JsonSerializer.Serialize(settings, SettingsCommand.FileForm);

    private static IEnumerable<string> Paths(JsonElement element, string at) => element.ValueKind == JsonValueKind.Object
        ? element.EnumerateObject().SelectMany(p => Paths(p.Value, $"{at}/{p.Name}"))
        : element.ValueKind == JsonValueKind.Array ? [] : [at];
}
