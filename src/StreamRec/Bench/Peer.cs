using System.Diagnostics;
using System.Text.Json;

namespace StreamRec.Bench;

/// <summary>
/// Another program that does the same work, run in turn with ours on the same machine: a command that prints one line of JSON with a number in it, such as
/// <c>{"tokens_per_s": 1234.5}</c>. What else runs on the machine then hits both.
/// </summary>
/// <param name="command">Handed to <c>sh -c</c>.</param>
/// <param name="field">Name of the number.</param>
internal sealed class Peer(string command, string field)
{
    /// <summary>Runs the command to its end.</summary>
    /// <exception cref="SettingsException">It fails or prints no such number; the message carries its last words.</exception>
    public double Run(CancellationToken ct)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new SettingsException($"--peer: '{command}' does not start");
        using var kill = ct.Register(() => process.Kill(entireProcessTree: true));
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None); // ends with the process, which a cancellation kills
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        ct.ThrowIfCancellationRequested();
        var line = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(l => l.StartsWith('{')) ?? "";
        try
        {
            if (process.ExitCode == 0)
            {
                using var json = JsonDocument.Parse(line);
                if (json.RootElement.TryGetProperty(field, out var value))
                    return value.GetDouble();
            }
        }
        catch (JsonException)
        {
            // Told below with what it printed.
        }

        throw new SettingsException(
            $"--peer: '{command}' ended with {process.ExitCode} and "
            + $"printed no JSON with '{field}': {Tail(output + errors.GetAwaiter().GetResult())}");
    }

    private static string Tail(string text) => text.Length > 400 ? text[^400..].Trim() : text.Trim();
}
