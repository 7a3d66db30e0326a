using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace StreamRec.Demo;

/// <summary>
/// The terminal while the demo runs: alternate screen, one frame at a time, each written in one piece so that it does not flicker.
/// Disposing gives the terminal back as it was.
/// </summary>
internal sealed class Screen : IDisposable
{
    private readonly TextWriter _to = System.Console.Out;

    // Alternate screen, cursor off.
    public Screen() => _to.Write("\e[?1049h\e[?25l\e[2J");

    /// <summary>True where there is a terminal that understands what we write.</summary>
    public static bool Possible => !System.Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi;

    public void Show(DemoSnapshot snapshot)
    {
        int width = System.Console.WindowWidth, height = System.Console.WindowHeight;
        var lines = Frame(DemoView.Build(snapshot, width, height), width, height, AnsiConsole.Profile.Capabilities.ColorSystem);
        // Begin and end of a synchronised update; terminals that do not know it ignore it.
        _to.Write("\e[?2026h\e[H" + string.Join("\e[K\r\n", lines) + "\e[J\e[?2026l");
        _to.Flush();
    }

    public void Dispose()
    {
        _to.Write("\e[?25h\e[?1049l");
        _to.Flush();
    }

    /// <summary>Renders into lines of exactly the screen's size.</summary>
    public static IReadOnlyList<string> Frame(IRenderable what, int width, int height, ColorSystem colours)
    {
        var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = colours == ColorSystem.NoColors ? AnsiSupport.No : AnsiSupport.Yes,
            ColorSystem = (ColorSystemSupport)colours, // the same names and numbers
            Out = new Sized(text, width, height),
        });
        console.Write(what);
        var lines = text.ToString().Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n').Split('\n');
        return lines.Length <= height ? lines : lines[..height];
    }

    private sealed class Sized(TextWriter to, int width, int height) : IAnsiConsoleOutput
    {
        public TextWriter Writer => to;
        public bool IsTerminal => true;
        public int Width => width;
        public int Height => height;

        public void SetEncoding(Encoding encoding)
        {
        }
    }
}
