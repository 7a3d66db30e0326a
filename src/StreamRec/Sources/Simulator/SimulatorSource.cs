using System.Globalization;
using StreamRec.Contracts;

namespace StreamRec.Sources.Simulator;

/// <summary>
/// A simulated marketplace as an input: what its people do, as a real event bus would bring it, with duplicates, late and
/// out-of-order arrivals, bots and broken messages. It knows how each organic event came about (<see cref="SourceMessage.Truth"/>)
/// and what must become of every message. Deterministic for its options.
/// </summary>
public sealed class SimulatorSource : IEventSource
{
    private readonly SimulatorOptions _options;

    /// <exception cref="SourceException">A rate or size is out of range.</exception>
    public SimulatorSource(SimulatorOptions options) => _options = options.Validated();

    public string Name => "simulate";

    public long Count => _options.Events;

    public IReadOnlyList<string> Notes => [];

    public IEnumerable<SourceMessage> Read()
    {
        using var bus = new SimulatedBus(_options);
        foreach (var item in bus.Catalogue())
            yield return item;
        for (long sent = 0; sent < _options.Events;)
        {
            foreach (var message in bus.Next())
            {
                if (message.Topic == SourceTopic.Interactions)
                    sent++;
                yield return message;
            }
        }
    }
}

/// <summary>Turns acts into messages in arrival order and adds what goes wrong on the way.</summary>
internal sealed class SimulatedBus : IDisposable
{
    private const int Repeatable = 512;
    private const int BotCount = 8, PushedItems = 5;

    private readonly SimulatorOptions _options;
    private readonly Random _random;
    private readonly Market _market;
    private readonly Crowd _crowd;
    private readonly MessageWriter _writer = new();
    private readonly PriorityQueue<SourceMessage, long> _held = new();
    private readonly SourceMessage[] _recent = new SourceMessage[Repeatable];
    private readonly SimItem[][] _pushed;
    private long _sentSound;
    private long _number;
    private long _nowMs;

    public SimulatedBus(SimulatorOptions options)
    {
        _options = options;
        // The noise has its own generator: turning a rate up or down leaves the people as they are.
        _random = new Random(options.Seed);
        var life = new Random(unchecked((options.Seed * 31) + 7));
        _market = new Market(options, life);
        _crowd = new Crowd(options, life);
        _nowMs = options.Start.ToUnixTimeMilliseconds();
        _pushed = [.. Enumerable.Range(0, BotCount).Select(_ => Enumerable.Range(0, PushedItems).Select(_ => AnyItem()).ToArray())];
    }

    public IEnumerable<SourceMessage> Catalogue() => _market.OnSale.Select(i => ItemMessages.Of(i.Record, _nowMs));

    /// <summary>The next interaction message, with the catalogue changes that precede it.</summary>
    public IEnumerable<SourceMessage> Next()
    {
        var draw = _random.NextDouble();
        if (draw < _options.Malformed)
            return [Malformed()];
        draw -= _options.Malformed;
        if (draw < _options.Duplicates && _sentSound > 0)
            return [_recent[_random.Next((int)Math.Min(_sentSound, Repeatable))] with { Fate = Fate.Duplicate, Truth = null }];
        draw -= _options.Duplicates;
        return draw >= 0 && draw < _options.Bots ? [Sent(Bot())] : Organic();
    }

    public void Dispose() => _writer.Dispose();

    private IEnumerable<SourceMessage> Organic()
    {
        while (true)
        {
            if (_held.TryPeek(out var late, out var due) && due <= _crowd.NextMs)
            {
                _held.Dequeue();
                yield return Sent(late);
                yield break;
            }

            foreach (var (item, birth, timeMs) in _market.AdvanceTo(_crowd.NextMs))
                yield return ItemMessages.Of(birth ? item.Record : item.Record with { Available = false }, timeMs);
            _nowMs = _crowd.NextMs;
            if (_crowd.Next(_market) is not { } act)
                continue;
            var message = Message(act.User.Id, act.Item, act.Type, act.Value, act.TimeMs, act.Session) with { Truth = act.Truth };
            if (Delay() is { } delayMs)
            {
                _held.Enqueue(message, act.TimeMs + delayMs);
                continue;
            }

            yield return Sent(message);
            yield break;
        }
    }

    /// <summary>How long an event is held up on its way; null for most.</summary>
    private long? Delay()
    {
        var draw = _random.NextDouble();
        if (draw < _options.Late)
            return (long)(600_000 * Math.Exp(_random.NextDouble() * Math.Log(288))); // 10 minutes to 2 days, log-uniform
        return draw < _options.Late + _options.OutOfOrder ? 2_000 + _random.Next(240_000) : null;
    }

    private SourceMessage Bot()
    {
        var bot = _random.Next(BotCount);
        ref var pushed = ref _pushed[bot][_random.Next(PushedItems)];
        if (pushed.DiesMs <= _nowMs)
            pushed = AnyItem();
        var item = _random.NextDouble() < 0.7 ? pushed : AnyItem();
        // A bot's id looks like anybody's.
        var user = string.Create(CultureInfo.InvariantCulture, $"u{_options.Users + bot:D5}");
        return Message(user, item, _random.NextDouble() < 0.8 ? "view" : "click", float.NaN, _nowMs, "");
    }

    private SourceMessage Malformed()
    {
        var reason = MalformedMessages.Draw(_random);
        var user = string.Create(CultureInfo.InvariantCulture, $"u{_random.Next(_options.Users):D5}");
        var sound = Raw(user, AnyItem().Id, "view", float.NaN, _nowMs, "");
        return new SourceMessage
        {
            Topic = SourceTopic.Interactions, Key = user, TimeMs = _nowMs, Fate = Fate.DeadLetter, Reason = reason,
            Value = MalformedMessages.Make(reason, sound, _writer, _random),
        };
    }

    private SourceMessage Message(string user, SimItem item, string type, float value, long timeMs, string session)
    {
        var raw = Raw(user, item.Id, type, value, timeMs, session);
        return new SourceMessage
        {
            Topic = SourceTopic.Interactions, Key = user, TimeMs = timeMs, Value = _writer.Interaction(raw),
            Interaction = new Interaction(EventIds.Hash(raw.EventId!), user, item.Id, EventTypes.Default.Find(type)!.Code, value, timeMs),
        };
    }

    private RawEvent Raw(string user, string item, string type, float value, long timeMs, string session) => new()
    {
        EventId = string.Create(CultureInfo.InvariantCulture, $"sim-{_options.Seed}-{_number++}"),
        UserId = user, ItemId = item, Type = type, Value = value, TimeText = MessageWriter.Time(timeMs), SessionId = session.Length == 0 ? null : session,
    };

    private SourceMessage Sent(in SourceMessage message)
    {
        _recent[_sentSound++ % Repeatable] = message;
        return message;
    }

    private SimItem AnyItem() => _market.OnSale[_random.Next(_market.OnSale.Count)];
}
