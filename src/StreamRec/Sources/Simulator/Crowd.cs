using System.Globalization;

namespace StreamRec.Sources.Simulator;

/// <summary>Something a simulated person did. Truth is null for what nobody chose from the shelf (a return) or disliked.</summary>
internal readonly record struct Act(SimUser User, SimItem Item, string Type, float Value, long TimeMs, string Session, ChoiceTruth? Truth);

/// <summary>
/// Who does what when: people join, come back in sessions (more in the evening than at night), look at some items, buy, rate, dislike, send back.
/// Yields acts in time order for ever.
/// </summary>
internal sealed class Crowd
{
    private const double SessionLength = 5;

    private readonly SimulatorOptions _options;
    private readonly Random _random;
    private readonly PriorityQueue<Step, long> _agenda = new();
    private readonly List<SimUser> _users = [];
    private readonly double _sessionsPerDay;

    public Crowd(SimulatorOptions options, Random random)
    {
        _options = options;
        _random = random;
        var start = options.Start.ToUnixTimeMilliseconds();
        for (var i = 0; i < options.Users; i++)
        {
            var joined = random.NextDouble() < 0.55 ? start : start + (long)(random.NextDouble() * options.Span.TotalMilliseconds);
            _users.Add(new SimUser(i, joined, random));
        }

        // On average three quarters of the people are there, and the others' sessions add up to the wanted density.
        var present = _users.Sum(u => u.Activity) * 0.775;
        _sessionsPerDay = options.EventsPerDay / SessionLength / present;
        foreach (var user in _users)
            _agenda.Enqueue(new Step(user, null), NextSession(user, user.JoinedMs));
    }

    public SimUser AnyUser => _users[_random.Next(_users.Count)];

    /// <summary>When the next act happens; ask before <see cref="Next"/> so that the market can be moved there.</summary>
    public long NextMs => _agenda.TryPeek(out _, out var at) ? at : long.MaxValue;

    /// <summary>The next act; null where the person at hand found nothing new to look at.</summary>
    public Act? Next(Market market)
    {
        _agenda.TryDequeue(out var step, out var timeMs);
        var user = step.User;
        if (step.Return is { } bought)
            return new Act(user, bought, "return", float.NaN, timeMs, "", null);
        if (user.Left == 0)
            StartSession(user, timeMs);
        user.Left--;
        var choice = market.Choose(user);
        var gap = (long)(15_000 + (_random.NextDouble() * 120_000));
        _agenda.Enqueue(new Step(user, null), user.Left > 0 ? timeMs + gap : NextSession(user, timeMs + gap));
        if (choice is not { } chosen)
            return null;
        user.Seen.Add(chosen.Item.Index);
        user.Previous = chosen.Item;
        var (type, value) = React(Market.Affinity(user, chosen.Item));
        if (type == "purchase" && _random.NextDouble() < 0.05)
            _agenda.Enqueue(new Step(user, chosen.Item), timeMs + (long)((1 + (_random.NextDouble() * 6)) * 86_400_000));
        var session = string.Create(CultureInfo.InvariantCulture, $"{user.Id}-s{user.Sessions}");
        return new Act(user, chosen.Item, type, value, timeMs, session, type == "dislike" ? null : chosen.Truth);
    }

    private void StartSession(SimUser user, long timeMs)
    {
        user.Drift(timeMs, _random);
        user.Previous = null;
        user.Sessions++;
        user.Left = 1;
        while (user.Left < 40 && _random.NextDouble() < 1 - (1 / SessionLength))
            user.Left++;
    }

    private (string Type, float Value) React(float affinity)
    {
        var draw = _random.NextDouble();
        if (affinity < 1 && draw < 0.06)
            return ("dislike", float.NaN);
        return draw switch
        {
            < 0.52 => ("view", float.NaN),
            < 0.70 => ("click", float.NaN),
            < 0.78 => ("like", float.NaN),
            < 0.86 => ("cart", 1),
            < 0.95 => ("purchase", 1 + _random.Next(2)),
            _ => ("rating", (float)Math.Clamp(Math.Round(1.5 + (affinity * 0.7) + SimItem.Gauss(_random) * 0.6), 1, 5)),
        };
    }

    /// <summary>Exponential waiting time on a clock that runs faster in the evening than at night.</summary>
    private long NextSession(SimUser user, long afterMs)
    {
        var perMs = user.Activity * _sessionsPerDay / 86_400_000;
        for (var at = (double)afterMs; ; )
        {
            at += -Math.Log(1 - _random.NextDouble()) / (perMs * 1.8);
            var hour = at / 3_600_000 % 24;
            var busy = 1 + (0.8 * Math.Sin((hour - 12) / 24 * 2 * Math.PI)); // peak at 18:00 UTC
            if (_random.NextDouble() * 1.8 < busy)
                return (long)at;
        }
    }

    /// <summary>What is on somebody's agenda: going on shopping, or sending an item back.</summary>
    private readonly record struct Step(SimUser User, SimItem? Return);
}
