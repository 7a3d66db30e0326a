using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using StreamRec.Contracts;
using StreamRec.Sources;

namespace StreamRec.Replay;

/// <summary>
/// Sends a source to Kafka: what is known of the users to users.v1, items to items.v1, interactions to interactions.v1 keyed by user,
/// idempotent, in the source's order per partition. Holds back while readers lag, so that a broker that keeps little loses nothing. One run per instance.
/// </summary>
public sealed class Replayer : IDisposable
{
    private const int HoldCheckEvery = 128;
    private static readonly TimeSpan CalmProbe = TimeSpan.FromMilliseconds(250), BusyProbe = TimeSpan.FromMilliseconds(25);

    private readonly ReplayOptions _options;
    private readonly Topics _topics;
    private readonly ILogger _log;
    private readonly IProducer<byte[]?, byte[]> _producer;
    private readonly List<GroupOffsets> _groups = [];
    private readonly GroupOffsets? _itemsGroup;
    private readonly Backlog _interactions;
    private readonly Backlog _items;
    private KafkaException? _failure;

    /// <param name="bootstrap">Kafka's bootstrap servers.</param>
    /// <param name="topics">Topic names; the topics exist already.</param>
    /// <param name="options">Speed and limits.</param>
    /// <param name="log">Where stalls are reported.</param>
    public Replayer(string bootstrap, Topics topics, ReplayOptions options, ILogger log)
    {
        (_options, _topics, _log) = (options, topics, log);
        _interactions = new Backlog(options.Followed.Count);
        _items = new Backlog(options.ItemsFollowed is null ? 0 : 1);
        _producer = new ProducerBuilder<byte[]?, byte[]>(new ProducerConfig
        {
            BootstrapServers = bootstrap,
            EnableIdempotence = true, // a retry inside the client must not become a duplicate of our own making
            CompressionType = CompressionType.Lz4,
            LingerMs = 5,
            QueueBufferingMaxMessages = 100_000,
        }).SetLogHandler((_, _) => { }).Build();
        foreach (var group in options.Followed)
            _groups.Add(new GroupOffsets(bootstrap, group, topics.Interactions));
        if (options.ItemsFollowed is { } items)
            _itemsGroup = new GroupOffsets(bootstrap, items, topics.Items);
    }

    public ReplayStats Stats { get; } = new();

    /// <summary>True while a volume-triggered run is due or under way; consulted at full speed only.</summary>
    public Func<bool> TrainingInProgress { get; init; } = () => false;

    /// <summary>Called on the producer's thread for each acknowledged interaction, with its partition and offset.</summary>
    public Action<SourceMessage, int, long>? OnDelivered { get; init; }

    /// <summary>Called on the sending loop for each catalogue message.</summary>
    public Action<ItemRecord>? OnItem { get; init; }

    /// <summary>Messages sent and not yet taken by all that are followed.</summary>
    public long Outstanding => _interactions.Outstanding + _items.Outstanding;

    /// <summary>Interactions a followed group has not taken, in the order of <see cref="ReplayOptions.Followed"/>.</summary>
    public IReadOnlyList<(string Group, long Lag)> Lags => [.. _groups.Select((g, i) => (g.Group, _interactions.Lag(i)))];

    /// <summary>Sends everything and returns when the broker has acknowledged it; readers may still be behind, see <see cref="DrainAsync"/>.</summary>
    /// <exception cref="KafkaException">The broker refused a message for good.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what was acknowledged so far is in <see cref="Stats"/>.</exception>
    public async Task RunAsync(IEventSource source, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var probe = Task.Run(() => ProbeAsync(stop.Token), CancellationToken.None);
        try
        {
            await Task.Run(() => SendAllAsync(source, stop.Token), cancellationToken);
            await Task.Run(() => _producer.Flush(stop.Token), cancellationToken);
            if (_failure is not null)
                throw _failure;
        }
        finally
        {
            await stop.CancelAsync();
            await probe;
        }
    }

    /// <summary>Returns when every followed group has taken everything that was sent.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var probe = Task.Run(() => ProbeAsync(stop.Token), CancellationToken.None);
        try
        {
            using var tick = new PeriodicTimer(BusyProbe);
            while (Outstanding > 0)
            {
                await tick.WaitForNextTickAsync(cancellationToken);
                if (_failure is not null)
                    throw _failure;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await probe;
        }
    }

    public void Dispose()
    {
        _producer.Dispose();
        foreach (var group in _groups)
            group.Dispose();
        _itemsGroup?.Dispose();
    }

    private async Task SendAllAsync(IEventSource source, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var held = TimeSpan.Zero; // the schedule of a given speed stands still while held, so that no burst makes up for it
        long interactions = 0, messages = 0;
        foreach (var user in source.Users)
            await ProduceAsync(_topics.Users, user.UserId, Json.Encode(user), UserReported, cancellationToken);
        foreach (var message in source.Read())
        {
            if (_failure is not null)
                throw _failure;
            if (clock.Elapsed > _options.Duration)
                break;
            if (messages++ % HoldCheckEvery == 0)
                held += await HoldAsync(cancellationToken);
            if (message.Topic == SourceTopic.Interactions && _options.Speed is { } speed)
            {
                var due = TimeSpan.FromSeconds(interactions++ / speed) + held - clock.Elapsed;
                if (due > TimeSpan.FromMilliseconds(2)) // the timer is no finer
                    await Task.Delay(due, cancellationToken);
            }

            cancellationToken.ThrowIfCancellationRequested();
            await SendAsync(message, cancellationToken);
        }
    }

    private async Task<TimeSpan> HoldAsync(CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var last = start;
        while (true)
        {
            var hold = Decide();
            Stats.SetHold(hold);
            if (hold == Hold.None)
                return Stopwatch.GetElapsedTime(start, last);
            await Task.Delay(BusyProbe, cancellationToken);
            if (_failure is not null)
                throw _failure;
            var now = Stopwatch.GetTimestamp();
            Stats.AddHeld(hold, now - last);
            last = now;
        }
    }

    private Hold Decide()
    {
        var (messages, bytes) = _interactions.Fullest();
        var (itemMessages, itemBytes) = _items.Fullest();
        return HoldBack.Decide(
            _options, Outstanding, Math.Max(messages, itemMessages), Math.Max(bytes, itemBytes), TrainingInProgress());
    }

    private async ValueTask SendAsync(SourceMessage message, CancellationToken cancellationToken)
    {
        var isItem = message.Topic == SourceTopic.Items;
        var backlog = isItem ? _items : _interactions;
        backlog.Sent();
        await ProduceAsync(isItem ? _topics.Items : _topics.Interactions, message.Key, message.Value, report => Reported(report, message), cancellationToken);
        if (!isItem)
            Stats.AddSent();
        else if (message.Item is { } item)
            OnItem?.Invoke(item);
    }

    private async ValueTask ProduceAsync(
        string topic, string? key, byte[] value, Action<DeliveryReport<byte[]?, byte[]>> reported, CancellationToken cancellationToken)
    {
        var record = new Message<byte[]?, byte[]> { Key = key is null ? null : Encoding.UTF8.GetBytes(key), Value = value };
        while (true)
        {
            try
            {
                _producer.Produce(topic, record, reported);
                return;
            }
            catch (ProduceException<byte[]?, byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
            {
                await Task.Delay(BusyProbe, cancellationToken); // the client's own queue: the broker is slower than we are
            }
        }
    }

    private void UserReported(DeliveryReport<byte[]?, byte[]> report)
    {
        if (report.Error.IsError)
            _failure ??= new KafkaException(report.Error);
        else
            Stats.AddUser();
    }

    private void Reported(DeliveryReport<byte[]?, byte[]> report, in SourceMessage message)
    {
        var isItem = message.Topic == SourceTopic.Items;
        var backlog = isItem ? _items : _interactions;
        if (report.Error.IsError)
        {
            backlog.Failed();
            _failure ??= new KafkaException(report.Error);
            return;
        }

        // 100 bytes for the key and the record's own frame.
        backlog.Delivered(report.Partition.Value, report.Offset.Value, message.Value.Length + 100);
        if (isItem)
        {
            Stats.AddItem();
            return;
        }

        Stats.AddDelivered(message.Value.Length);
        OnDelivered?.Invoke(message, report.Partition.Value, report.Offset.Value);
    }

    /// <summary>Keeps the backlogs up to date with what the groups have committed.</summary>
    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var lastOutstanding = long.MaxValue;
        var lastMove = Stopwatch.GetTimestamp();
        try
        {
            while (true)
            {
                for (var g = 0; g < _groups.Count; g++)
                    _groups[g].Report(_interactions, g);
                _itemsGroup?.Report(_items, 0);
                var outstanding = Outstanding;
                if (outstanding == 0 || outstanding != lastOutstanding)
                    lastMove = Stopwatch.GetTimestamp();
                else if (Stopwatch.GetElapsedTime(lastMove) > _options.StallWarning)
                {
                    Log.ReplayStalled(_log, outstanding, string.Join(", ", Lags.Select(l => $"{l.Group} {l.Lag}")), (int)_options.StallWarning.TotalSeconds);
                    lastMove = Stopwatch.GetTimestamp();
                }

                lastOutstanding = outstanding;
                await Task.Delay(outstanding > _options.MaxOutstanding / 2 ? BusyProbe : CalmProbe, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The replay is over.
        }
        catch (KafkaException e)
        {
            _failure ??= e;
        }
    }
}
