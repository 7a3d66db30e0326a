namespace StreamRec.Sources.Simulator;

/// <summary>What the simulated marketplace is like. Rates are shares of all interaction messages, 0..1.</summary>
public sealed record SimulatorOptions
{
    /// <summary>Same options and seed, same bytes. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Interaction messages in all, bad ones and duplicates included. Default 90,000.</summary>
    public long Events { get; init; } = 90_000;

    /// <summary>People over the whole run; a little over half are there from the start. Default 2,000.</summary>
    public int Users { get; init; } = 2_000;

    /// <summary>Items over the whole run; about three in five are there from the start, a quarter are withdrawn before the end. Default 2,400.</summary>
    public int Items { get; init; } = 2_400;

    /// <summary>How dense simulated time is: messages per simulated day. Default 2,000, so that 90,000 messages span 45 days.</summary>
    public double EventsPerDay { get; init; } = 2_000;

    /// <summary>Messages that are broken in one of the ways of <see cref="MalformedMessages"/>. Default 0.01.</summary>
    public double Malformed { get; init; } = 0.01;

    /// <summary>Messages that repeat an earlier one byte for byte, as a retrying producer sends them. Default 0.02.</summary>
    public double Duplicates { get; init; } = 0.02;

    /// <summary>Organic events that arrive ten minutes to two days after they happened. Default 0.01.</summary>
    public double Late { get; init; } = 0.01;

    /// <summary>Organic events that arrive seconds to minutes late, behind a few newer ones. Default 0.03.</summary>
    public double OutOfOrder { get; init; } = 0.03;

    /// <summary>Events of bots that push a few items and otherwise click at random. Default 0.02.</summary>
    public double Bots { get; init; } = 0.02;

    /// <summary>Simulated clock at the start; fixed, so that a run can be repeated. Default 2025-03-01.</summary>
    public DateTimeOffset Start { get; init; } = new(2025, 3, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Length of the run on the simulated clock.</summary>
    public TimeSpan Span => TimeSpan.FromDays(Events / EventsPerDay);

    /// <exception cref="SourceException">A rate is out of range; names the option and its value.</exception>
    public SimulatorOptions Validated()
    {
        foreach (var (name, rate) in new[]
        {
            ("malformed", Malformed), ("duplicates", Duplicates), ("late", Late), ("out-of-order", OutOfOrder), ("bots", Bots),
        })
        {
            if (!(rate >= 0 && rate <= 0.5))
                throw new SourceException($"--{name} {rate} is not a share between 0 and 0.5");
        }

        if (Users < 10 || Items < 50)
            throw new SourceException($"--users {Users} --items {Items}: the marketplace needs at least 10 users and 50 items");
        return Events > 0 ? this : throw new SourceException($"--events {Events} must be positive");
    }
}
