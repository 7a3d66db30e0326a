using Spectre.Console;
using Spectre.Console.Rendering;
using StreamRec.Demo;
using StreamRec.Replay;
using Xunit;

namespace StreamRec.Tests.Demo;

public class ViewTests
{
    [Theory]
    [InlineData(140, 42)]
    [InlineData(100, 30)]
    [InlineData(80, 24)]
    [InlineData(220, 60)]
    public void The_view_fills_its_screen_and_no_more(int width, int height)
    {
        var text = Render(DemoView.Build(DemoData.Snapshot, width, height), width, height, colours: false);

        Assert.Equal(height, text.TrimEnd('\n').Split('\n').Length);
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= width, $"{line.Length} columns: {line}"));
    }

    [Fact]
    public void The_view_shows_what_is_asked_of_it()
    {
        var text = Render(DemoView.Build(DemoData.Snapshot, 150, 44), 150, 44, colours: false);

        foreach (var part in new[]
        {
            "62,431", "100,000", "sent/s", "lag: ingest", "312", "1,840", "1,682", "59,874",
            "malformed_json", "p50 212 ms", "p99 391 ms", "served lists", "popularity",
            "epoch 4 of 12", "37 %", ".221", "user 405", "Toy Story (1995)", "Star Wars (1977)", "kcat -b 127.0.0.1:40911",
        })
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_view_survives_its_first_moment()
    {
        var text = Render(DemoView.Build(new DemoSnapshot { Dataset = "csv", Speed = "full speed" }, 120, 36), 120, 36, colours: false);

        Assert.Contains("no training run yet", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_state_has_its_words()
    {
        foreach (var (phase, hold, words) in new[]
        {
            (DemoPhase.Replaying, Hold.Training, "waits for training"),
            (DemoPhase.Replaying, Hold.Lag, "held back by lag"),
            (DemoPhase.Draining, Hold.None, "catching up"),
            (DemoPhase.Done, Hold.None, "done"),
        })
        {
            Assert.Contains(
                words,
                Render(DemoView.Build(DemoData.Snapshot with { Phase = phase, Hold = hold }, 140, 42), 140, 42, false),
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_summary_shows_counts_models_accuracy_and_the_verdict()
    {
        var text = Render(Summary.Build(DemoData.Result), 140, 80, colours: false);

        foreach (var part in new[]
        {
            "90,000", "87,300", "dead letters: malformed_json", "87300-00000000deadbeef", "v2",
            "after the first promotion", "event → list", "41 % of it reached", "every event is accounted for",
        })
            Assert.Contains(part, text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_summary_says_what_is_off()
    {
        var text = Render(Summary.Build(DemoData.Result with { Faults = ["applied 1, the input holds 2 distinct good events"] }), 140, 80, colours: false);

        Assert.Contains("✗ applied 1, the input holds 2", text, StringComparison.Ordinal);
        Assert.DoesNotContain("every event is accounted for", text, StringComparison.Ordinal);
    }

    private static string Render(IRenderable what, int width, int height, bool colours)
    {
        var to = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = colours ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = colours ? ColorSystemSupport.TrueColor : ColorSystemSupport.NoColors,
            Out = new Screen(to, width, height),
        });
        console.Write(what);
        return to.ToString().Replace("\r", "", StringComparison.Ordinal);
    }

    private sealed class Screen(TextWriter to, int width, int height) : IAnsiConsoleOutput
    {
        public TextWriter Writer => to;
        public bool IsTerminal => false;
        public int Width => width;
        public int Height => height;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }
}
