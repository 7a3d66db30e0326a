using System.Globalization;
using Confluent.Kafka;
using StreamRec.Contracts;
using StreamRec.Sources;

namespace StreamRec.Demo;

/// <summary>
/// A product service that asks for lists on requests.v1 while the stream goes by: for somebody seen lately, and every fifth time for an
/// anonymous session of two items. Without it nobody would know how fast requests are answered.
/// </summary>
internal sealed class Requester : IDisposable
{
    /// <summary>How the ids of the demo's requests begin.</summary>
    public const string IdPrefix = "demo-";

    private const int Remembered = 1_000;

    private readonly IProducer<string?, byte[]> _producer;
    private readonly string _topic;
    private readonly Random _random = new(1);
    private readonly Lock _lock = new();
    private readonly (string User, string Item)[] _seen = new (string, string)[Remembered];
    private long _seenCount, _asked;

    public Requester(string bootstrap, Topics topics)
    {
        _topic = topics.Requests;
        _producer = new ProducerBuilder<string?, byte[]>(new ProducerConfig { BootstrapServers = bootstrap, EnableIdempotence = true, LingerMs = 0 })
            .SetLogHandler((_, _) => { }).Build();
    }

    /// <summary>Requests the broker has acknowledged.</summary>
    public long Asked => Volatile.Read(ref _asked);

    /// <summary>An acknowledged interaction, from which users and items are taken.</summary>
    public void Event(in SourceMessage message)
    {
        if (message.Fate != Fate.Applied)
            return;
        lock (_lock)
            _seen[_seenCount++ % Remembered] = (message.Interaction.UserId, message.Interaction.ItemId);
    }

    /// <summary>Asks so many times a second until cancelled.</summary>
    public async Task RunAsync(double perSecond, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1 / perSecond));
        try
        {
            for (long number = 0; await timer.WaitForNextTickAsync(cancellationToken); number++)
            {
                if (Next(number) is not { } request)
                    continue;
                await _producer.ProduceAsync(_topic, new Message<string?, byte[]> { Key = request.UserId, Value = Json.Encode(request) }, cancellationToken);
                Interlocked.Increment(ref _asked);
            }
        }
        catch (OperationCanceledException)
        {
            // The demo is over.
        }
    }

    public void Dispose() => _producer.Dispose();

    private RecommendationRequest? Next(long number)
    {
        lock (_lock)
        {
            if (_seenCount == 0)
                return null;
            var known = (int)Math.Min(_seenCount, Remembered);
            var (user, item) = _seen[_random.Next(known)];
            var id = string.Create(CultureInfo.InvariantCulture, $"{IdPrefix}{number}");
            var request = new RecommendationRequest { RequestId = id, K = 10, Surface = "demo" };
            return number % 5 == 4 ? request with { SessionItems = [_seen[_random.Next(known)].Item, item] } : request with { UserId = user };
        }
    }
}
