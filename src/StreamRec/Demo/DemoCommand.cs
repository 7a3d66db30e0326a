using System.CommandLine;
using StreamRec.Commands;
using StreamRec.Replay;
using StreamRec.Sources;
using StreamRec.Sources.Simulator;

namespace StreamRec.Demo;

/// <summary>
/// <c>demo</c>: private servers, all roles and a replay in one process, with a picture of what happens. Exit code 0: every event is
/// accounted for; 1: something is off, and is said; 130: interrupted.
/// </summary>
internal static class DemoCommand
{
    private static readonly SimulatorOptions Defaults = new();

    public static Command Create()
    {
        var inputs = new InputOptions("simulate");
        var minutes = new Option<double?>("--minutes")
        {
            Description = "Stop sending after so many minutes. With simulate it sets how many events there are; default 3.",
        };
        var report = new Option<string?>("--report") { Description = "Write what was measured to this file, as JSON." };
        var noConsole = new Option<bool>("--no-console") { Description = "No live picture and no web console: plain lines." };
        var rates = new RateOptions();
        var command = new Command("demo", "Run the whole pipeline here, on servers of its own, and watch it.") { minutes, report, noConsole };
        inputs.AddTo(command);
        rates.AddTo(command);
        command.SetAction((parsed, ct) =>
        {
            var (dataset, data, map, events, speed) = inputs.Read(parsed);
            var time = parsed.GetValue(minutes);
            if (time is { } t && !(t > 0 && t < 100_000))
                throw new SourceException($"--minutes {t} is not a positive number of minutes");
            var simulated = dataset == "simulate";
            var pace = speed is null && simulated ? DemoOptions.SimulatedSpeed : ReplayOptions.ParseSpeed(speed ?? "max");
            var count = events > 0 ? events : (long)((time ?? 3) * 60 * (pace ?? DemoOptions.SimulatedSpeed));
            var options = new DemoOptions
            {
                Dataset = dataset, Data = data, Map = map, Events = events, Speed = pace,
                Report = parsed.GetValue(report),
                NoConsole = parsed.GetValue(noConsole),
                Duration = time is { } limit && !simulated ? TimeSpan.FromMinutes(limit) : null,
                Simulator = rates.Read(parsed) with { Events = count },
            };
            return DemoRun.ExecuteAsync(options, CommandContext.Settings(parsed), ct);
        });
        return command;
    }

    /// <summary>The simulator's options, shared with replay.</summary>
    internal sealed class RateOptions
    {
        private readonly Option<int> _seed = new("--seed") { Description = "Seed of simulate.", DefaultValueFactory = _ => Defaults.Seed };
        private readonly Option<int> _users = new("--users") { Description = "People in simulate.", DefaultValueFactory = _ => Defaults.Users };
        private readonly Option<int> _items =
            new("--items") { Description = "Items in simulate, over the whole run.", DefaultValueFactory = _ => Defaults.Items };
        private readonly Option<double> _malformed = Rate("--malformed", "broken messages", Defaults.Malformed);
        private readonly Option<double> _duplicates = Rate("--duplicates", "repeated messages", Defaults.Duplicates);
        private readonly Option<double> _late = Rate("--late", "events arriving minutes to days late", Defaults.Late);
        private readonly Option<double> _outOfOrder = Rate("--out-of-order", "events overtaken by a few newer ones", Defaults.OutOfOrder);
        private readonly Option<double> _bots = Rate("--bots", "events by bots", Defaults.Bots);

        public void AddTo(Command command)
        {
            foreach (Option option in new Option[] { _seed, _users, _items, _malformed, _duplicates, _late, _outOfOrder, _bots })
                command.Options.Add(option);
        }

        public SimulatorOptions Read(ParseResult parsed) => new()
        {
            Seed = parsed.GetValue(_seed), Users = parsed.GetValue(_users), Items = parsed.GetValue(_items), Malformed = parsed.GetValue(_malformed),
            Duplicates = parsed.GetValue(_duplicates), Late = parsed.GetValue(_late), OutOfOrder = parsed.GetValue(_outOfOrder), Bots = parsed.GetValue(_bots),
        };

        private static Option<double> Rate(string name, string what, double value) =>
            new(name) { Description = $"Share of {what} in simulate.", DefaultValueFactory = _ => value };
    }

    /// <summary>Which input, how much of it and how fast; shared with replay.</summary>
    internal sealed class InputOptions
    {
        private readonly Option<string> _dataset;
        private readonly Option<string?> _data = new("--data") { Description = "Folder of ml-100k or online-retail; the file of csv." };
        private readonly Option<string?> _map = new("--map")
        {
            Description = "Columns of csv: user=…,item=…,time=…[,type=…,value=…,title=…,text=…,category=…,event=…,session=…].",
        };
        private readonly Option<long> _events = new("--events") { Description = "Only the first so many interactions." };
        private readonly Option<string?> _speed = new("--speed") { Description = "Interactions per second, or max. Default max; 500 for simulate." };

        public InputOptions(string defaultDataset)
        {
            _dataset = new Option<string>("--dataset") { Description = string.Join(", ", EventSources.Names) + ".", DefaultValueFactory = _ => defaultDataset };
            _dataset.AcceptOnlyFromAmong([.. EventSources.Names]);
        }

        public void AddTo(Command command)
        {
            foreach (Option option in new Option[] { _dataset, _data, _map, _events, _speed })
                command.Options.Add(option);
        }

        public (string Dataset, string? Data, string? Map, long Events, string? Speed) Read(ParseResult parsed) =>
            (parsed.GetValue(_dataset)!, parsed.GetValue(_data), parsed.GetValue(_map), parsed.GetValue(_events), parsed.GetValue(_speed));
    }
}
