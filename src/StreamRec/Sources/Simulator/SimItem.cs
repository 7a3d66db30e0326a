using System.Globalization;
using StreamRec.Contracts;

namespace StreamRec.Sources.Simulator;

/// <summary>One simulated item: what it serves (topics, style, maker), how good it is, and when it is on sale.</summary>
internal sealed class SimItem
{
    private SimItem()
    {
    }

    public required int Index { get; init; }
    public required int Topic { get; init; }
    public required int SecondTopic { get; init; }
    public required int Style { get; init; }
    public required int SecondStyle { get; init; }

    /// <summary>The maker. People who looked at one item of a series often go on within it.</summary>
    public required int Series { get; init; }

    /// <summary>Appeal to everybody, standard normal times 0.7.</summary>
    public required float Quality { get; init; }
    public required long BornMs { get; init; }

    /// <summary><see cref="long.MaxValue"/> for an item that stays.</summary>
    public required long DiesMs { get; init; }
    public required ItemRecord Record { get; init; }
    public string Id => Record.ItemId;

    public static SimItem Create(int index, int seriesCount, SimulatorOptions options, Random random)
    {
        // A series has one topic and one style; its items vary in the second ones.
        var series = random.Next(seriesCount);
        int topic = series % Vocabulary.Topics.Length, style = series / Vocabulary.Topics.Length % Vocabulary.Styles.Length;
        int secondTopic = random.Next(Vocabulary.Topics.Length), secondStyle = random.Next(Vocabulary.Styles.Length);
        var start = options.Start.ToUnixTimeMilliseconds();
        var spanMs = options.Span.TotalMilliseconds;
        var born = random.NextDouble() < 0.6 ? start : start + (long)(random.NextDouble() * spanMs);
        var dies = random.NextDouble() < 0.25 ? born + (long)((0.1 + random.NextDouble()) * spanMs) : long.MaxValue;
        return new SimItem
        {
            Index = index, Topic = topic, SecondTopic = secondTopic, Style = style, SecondStyle = secondStyle, Series = series,
            Quality = (float)(Gauss(random) * 0.7), BornMs = born, DiesMs = dies,
            Record = Describe(index, series, topic, secondTopic, style, secondStyle, born, random),
        };
    }

    public static double Gauss(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static ItemRecord Describe(int index, int series, int topic, int secondTopic, int style, int secondStyle, long born, Random random)
    {
        var (category, nouns, words) = Vocabulary.Topics[topic];
        var styles = Vocabulary.Styles[style].Words;
        var noun = nouns[random.Next(nouns.Length)];
        var text = new List<string>();
        for (var i = 0; i < 18; i++)
        {
            var pool = random.NextDouble() switch
            {
                < 0.45 => words,
                < 0.65 => styles,
                < 0.73 => Vocabulary.Topics[secondTopic].Words,
                < 0.80 => Vocabulary.Styles[secondStyle].Words,
                _ => Vocabulary.Common,
            };
            text.Add(pool[random.Next(pool.Length)]);
        }

        return new ItemRecord
        {
            ItemId = string.Create(CultureInfo.InvariantCulture, $"i{index:D4}"),
            Title = $"{Vocabulary.Series(series)} {styles[random.Next(styles.Length)]} {noun}",
            Text = string.Join(' ', text),
            Categories = [category],
            Attributes = new Dictionary<string, string>
            {
                ["price"] = Math.Round(Math.Exp(3 + Gauss(random)), 2).ToString("0.00", CultureInfo.InvariantCulture),
                ["maker"] = Vocabulary.Series(series),
            },
            PublishedAt = DateTimeOffset.FromUnixTimeMilliseconds(born),
        };
    }
}
