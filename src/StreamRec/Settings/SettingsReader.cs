using Microsoft.Extensions.Configuration;

namespace StreamRec;

/// <summary>
/// Reads <see cref="Settings"/>: defaults, then the file, then the environment. A field the program does not know is an error that
/// names it, because a misspelt setting would otherwise be a default nobody asked for.
/// </summary>
public static class SettingsReader
{
    /// <summary>Environment variables are <c>STREAMREC__SECTION__FIELD</c>.</summary>
    public const string EnvironmentPrefix = "STREAMREC__";

    /// <summary>The file looked for in the working directory when none is named.</summary>
    public const string DefaultFile = "streamrec.json";

    /// <param name="file">A file that must exist, or null for <see cref="DefaultFile"/> if it is there.</param>
    /// <exception cref="SettingsException">The file is missing or not valid, or a field is unknown or has a value of the wrong kind.</exception>
    public static Settings Read(string? file)
    {
        if (file is not null && !File.Exists(file))
            throw new SettingsException($"--config '{file}': there is no such file");
        try
        {
            var configuration = new ConfigurationBuilder()
                .AddJsonFile(Path.GetFullPath(file ?? DefaultFile), optional: file is null)
                .AddEnvironmentVariables(EnvironmentPrefix)
                .Build();
            var settings = new Settings();
            configuration.Bind(settings, binder => binder.ErrorOnUnknownConfiguration = true);
            return settings;
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException or FormatException)
        {
            throw new SettingsException($"settings in '{file ?? DefaultFile}' or {EnvironmentPrefix}*: {Innermost(e)}", e);
        }
    }

    private static string Innermost(Exception e) => e.InnerException is { } inner ? $"{e.Message} {Innermost(inner)}" : e.Message;
}

/// <summary>The settings cannot be used; the message names the setting and its value.</summary>
public sealed class SettingsException : Exception
{
    public SettingsException(string message) : base(message) { }

    public SettingsException(string message, Exception inner) : base(message, inner) { }
}
