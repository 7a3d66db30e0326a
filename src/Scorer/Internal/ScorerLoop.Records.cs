using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Confluent.Kafka;
using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>One method per kind of record.</summary>
internal sealed partial class ScorerLoop
{
    private Cause _newestItem;

    private void OnRecord(ConsumeResult<byte[], byte[]?> record)
    {
        if (record.Topic == _options.Topics.Interactions)
            OnInteraction(record);
        else
            OnRequest(record);
    }

    private void OnFollowed(ConsumeResult<byte[], byte[]?> record)
    {
        if (record.Topic == _options.Topics.Items)
            OnItem(record);
        else if (record.Topic == _options.Topics.Users)
            OnUser(record);
        else
            OnInteraction(record);
    }

    private void OnInteraction(ConsumeResult<byte[], byte[]?> record)
    {
        var partition = PartitionOf(record.Partition.Value);
        var offset = record.Offset.Value;
        var fresh = offset >= partition.Watermark;
        var tracker = offset >= partition.ScoreFrom ? partition.Tracker : null;
        if (!fresh && tracker is null)
            return;
        if (fresh)
            partition.Watermark = offset + 1;
        var brokerMs = record.Message.Timestamp.UnixTimestampMs;
        var reason = _decoder.TryDecode(
            record.Message.Value, WireHeaders.CloudEvent(record.Message.Headers), _time.GetUtcNow().ToUnixTimeMilliseconds(), out var interaction, out _);
        if (reason != DeadLetterReason.None)
            _stats.CountUndecodable(); // Ingest sets it aside
        else if (!partition.Recent.Add(Identity(interaction)) && fresh)
            _stats.CountDuplicate();
        else if (_erased.Covers(interaction.UserId, brokerMs))
            _stats.CountErasedEvent();
        else
        {
            var cause = new Cause(record.Topic, record.Partition.Value, offset, brokerMs, WireHeaders.TraceParentOf(record.Message.Headers));
            _scoring.Interaction(interaction, cause, fresh, tracker);
            return;
        }

        tracker?.Read(offset);
    }

    /// <summary>Of one event: user, time and event id, as in the graph. String hashes differ between processes, which is fine in memory.</summary>
    private static ulong Identity(in Interaction e) =>
        (ulong)e.EventId ^ (ulong)(e.EventId >> 64) ^ EventIds.Mix((ulong)e.TimeMs ^ ((ulong)(uint)e.UserId.GetHashCode(StringComparison.Ordinal) << 32));

    private void OnRequest(ConsumeResult<byte[], byte[]?> record)
    {
        var partition = _requests[record.Partition.Value];
        var offset = record.Offset.Value;
        if (!TryDecode(record.Message.Value, out var request, out var reason, out var detail))
        {
            _output.SendDeadLetter(record, reason, detail, partition.Tracker, partition.Tracker.Open(offset));
        }
        else if (!partition.Answered.Add(EventIds.Hash(request.RequestId)))
        {
            _stats.CountRepeatedRequest();
            partition.Tracker.Read(offset);
        }
        else
        {
            var cause = new Cause(
                record.Topic, record.Partition.Value, offset, record.Message.Timestamp.UnixTimestampMs, WireHeaders.TraceParentOf(record.Message.Headers));
            // The topic is compacted and wants a key: an anonymous session's list stands under its request.
            _scoring.Request(request, request.UserId ?? request.RequestId, cause, partition.Tracker, partition.Tracker.Open(offset));
        }
    }

    private bool TryDecode(byte[]? value, [NotNullWhen(true)] out RecommendationRequest? request, out DeadLetterReason reason, out string? detail)
    {
        if (value is null || value.Length <= _options.MaxRequestBytes)
            return Json.TryDecode(value, out request, out reason, out detail);
        (request, reason) = (null, DeadLetterReason.TooLarge);
        detail = string.Create(CultureInfo.InvariantCulture, $"{value.Length} bytes, limit {_options.MaxRequestBytes}");
        return false;
    }

    private void OnItem(ConsumeResult<byte[], byte[]?> record)
    {
        if (record.Message.Value is null && WireHeaders.KeyOf(record.Message.Key) is { Length: > 0 } withdrawn)
            _scoring.Item(withdrawn, null);
        else if (record.Message.Value is { } value && Json.TryDecode(value, out ItemRecord? item, out _, out _))
            _scoring.Item(item.ItemId, item);
        else
            _stats.CountUndecodable(); // Ingest sets it aside
        _newestItem = new Cause(record.Topic, record.Partition.Value, record.Offset.Value, record.Message.Timestamp.UnixTimestampMs, null);
    }

    /// <summary>What the model knows of a person; with a tombstone the person is forgotten and the lists are withdrawn everywhere.</summary>
    private void OnUser(ConsumeResult<byte[], byte[]?> record)
    {
        if (record.Message.Value is { } value)
        {
            if (Json.TryDecode(value, out UserRecord? person, out _, out _))
                _scoring.User(person);
            else
                _stats.CountUndecodable(); // Ingest sets it aside
            return;
        }

        if (WireHeaders.KeyOf(record.Message.Key) is not { Length: > 0 } user)
            return;
        _erased.Add(user, record.Message.Timestamp.UnixTimestampMs);
        if (record.Offset.Value < _usersFrom.GetValueOrDefault(record.Partition.Value))
            return; // the snapshot is without the person already
        _logger.Erased(_scoring.Erase(user));
        _latest.Remove(user);
        _output.SendTombstone(user);
    }

    private void Follow()
    {
        if (_followChanged)
            FollowUnowned();
        for (var n = 0; n < Batch && _follower.Poll(TimeSpan.Zero) is { } record; n++)
            OnFollowed(record);
        if (!_pauseApplied)
            _scoring.ReplaceWithdrawn(_newestItem);
    }
}
