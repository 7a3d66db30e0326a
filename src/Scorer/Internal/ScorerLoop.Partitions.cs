using Confluent.Kafka;
using StreamRec.Contracts;

namespace StreamRec.Scorer;

/// <summary>Who reads which partition from where, and what may be committed.</summary>
internal sealed partial class ScorerLoop
{
    private static readonly TimeSpan BrokerTimeout = TimeSpan.FromSeconds(10);
    private readonly Dictionary<int, InteractionPartition> _interactions = [];
    private readonly Dictionary<int, RequestPartition> _requests = [];
    private readonly HashSet<int> _known; // interactions partitions the snapshot has read from
    private readonly IReadOnlyDictionary<int, long> _usersFrom;
    private TopicPartitionOffset[] _catalogue = [];
    private IReadOnlyList<int> _allInteractions = [];
    private bool _followChanged;
    private volatile int _assigned;

    /// <summary>Partitions this instance owns; readable from any thread.</summary>
    public int AssignedPartitions => _assigned;

    private IConsumer<byte[], byte[]?> BuildGroup() =>
        new ConsumerBuilder<byte[], byte[]?>(new ConsumerConfig
        {
            BootstrapServers = _options.BootstrapServers,
            GroupId = _options.GroupId,
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            SessionTimeoutMs = (int)_options.SessionTimeout.TotalMilliseconds,
            HeartbeatIntervalMs = (int)(_options.SessionTimeout.TotalMilliseconds / 4),
            // Range gives partition n of both topics to the same member: a user's requests meet the user's events.
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.Range,
        })
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, error) => _logger.Broker(error.Reason))
            .SetPartitionsAssignedHandler((_, partitions) => Assigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => Revoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => Lost(partitions))
            .Build();

    /// <summary>Items and erasures up to now, before the first list: none may hold a withdrawn item. False when told to stop meanwhile.</summary>
    private bool CatchUpCatalogue(CancellationToken ct)
    {
        _catalogue =
        [
            .. _follower.PartitionsOf(_options.Topics.Items).Select(p => new TopicPartitionOffset(_options.Topics.Items, p, Offset.Beginning)),
            .. _follower.PartitionsOf(_options.Topics.Users).Select(p => new TopicPartitionOffset(_options.Topics.Users, p, Offset.Beginning)),
        ];
        _allInteractions = _follower.PartitionsOf(_options.Topics.Interactions);
        _follower.Follow(_catalogue);
        if (!_follower.ReadToEnd(OnFollowed, ct))
            return false;
        _scoring.ReplaceWithdrawn(_newestItem);
        return true;
    }

    private InteractionPartition PartitionOf(int partition)
    {
        if (!_interactions.TryGetValue(partition, out var state))
            _interactions.Add(partition, state = new InteractionPartition(0, _options.RecentIdsPerPartition));
        return state;
    }

    /// <summary>
    /// A partition is read from what the group has committed or from the graph's watermark, whichever is earlier: below the commit an event is only
    /// applied, below the watermark only scored.
    /// </summary>
    private List<TopicPartitionOffset> Assigned(List<TopicPartition> partitions)
    {
        var start = new List<TopicPartitionOffset>(partitions.Count);
        foreach (var committed in _group.Committed(partitions, BrokerTimeout))
        {
            var scoreFrom = committed.Offset.IsSpecial ? 0 : committed.Offset.Value;
            start.Add(new TopicPartitionOffset(committed.TopicPartition, committed.Topic == _options.Topics.Interactions
                ? AssignInteractions(committed.TopicPartition, scoreFrom)
                : AssignRequests(committed.TopicPartition, scoreFrom)));
        }

        _assigned += partitions.Count;
        _logger.Assigned(partitions.Count);
        _pauseApplied = false; // a fresh assignment runs
        _followChanged = true;
        return start;
    }

    private Offset AssignInteractions(TopicPartition partition, long scoreFrom)
    {
        var state = PartitionOf(partition.Partition.Value);
        (state.ScoreFrom, state.Committed, state.Tracker) = (scoreFrom, scoreFrom, new OffsetTracker());
        var oldest = _group.QueryWatermarkOffsets(partition, BrokerTimeout).Low.Value;
        if (state.Watermark < oldest)
        {
            if (state.Watermark > 0 || _known.Contains(partition.Partition.Value))
            {
                _stats.CountLost(oldest - state.Watermark);
                _logger.EventsLost(partition.Topic, partition.Partition.Value, oldest - state.Watermark, state.Watermark, oldest);
            }

            state.Watermark = oldest;
        }

        var start = Math.Max(oldest, Math.Min(scoreFrom, state.Watermark));
        _logger.ReadsFrom(partition.Topic, partition.Partition.Value, start, scoreFrom, state.Watermark);
        return start;
    }

    private Offset AssignRequests(TopicPartition partition, long scoreFrom)
    {
        if (!_requests.TryGetValue(partition.Partition.Value, out var state) || state.Committed != scoreFrom)
            _requests[partition.Partition.Value] = state = new RequestPartition(_options.RecentIdsPerPartition);
        state.Committed = scoreFrom;
        return scoreFrom;
    }

    /// <summary>Another instance gets them: finish what is open, so that it starts where we stopped.</summary>
    private void Revoked(List<TopicPartitionOffset> partitions)
    {
        if (!_pauseApplied)
            _scoring.FlushAll();
        _output.Flush(FlushTimeout);
        Commit();
        Release(partitions);
        _logger.Revoked(partitions.Count);
    }

    /// <summary>Another instance has them already: what is not committed is its business now.</summary>
    private void Lost(List<TopicPartitionOffset> partitions)
    {
        Release(partitions);
        _logger.PartitionsLost(partitions.Count);
    }

    private void Release(List<TopicPartitionOffset> partitions)
    {
        _assigned -= partitions.Count;
        foreach (var partition in partitions)
        {
            if (partition.Topic != _options.Topics.Interactions)
                continue;
            var state = PartitionOf(partition.Partition.Value);
            if (state.Tracker is not null)
                _scoring.Dirty.Forget(state.Tracker);
            state.Tracker = null;
        }

        _followChanged = true;
    }

    /// <summary>Follows the interactions partitions other instances score.</summary>
    private void FollowUnowned()
    {
        _followChanged = false;
        var others = _allInteractions.Where(p => PartitionOf(p).Tracker is null)
            .Select(p => new TopicPartitionOffset(_options.Topics.Interactions, p, PartitionOf(p).Watermark));
        _follower.Follow([.. _catalogue, .. others]);
    }

    private void Commit()
    {
        _committedAt = _time.GetTimestamp();
        var offsets = new List<TopicPartitionOffset>();
        foreach (var (id, partition) in _interactions)
        {
            if (partition.Tracker is { } tracker && tracker.Safe > partition.Committed)
                offsets.Add(new TopicPartitionOffset(_options.Topics.Interactions, id, partition.Committed = tracker.Safe));
        }

        foreach (var (id, partition) in _requests)
        {
            if (partition.Tracker.Safe > partition.Committed)
                offsets.Add(new TopicPartitionOffset(_options.Topics.Requests, id, partition.Committed = partition.Tracker.Safe));
        }

        if (offsets.Count == 0)
            return;
        try
        {
            _group.Commit(offsets);
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.RebalanceInProgress or ErrorCode.IllegalGeneration or ErrorCode.UnknownMemberId)
        {
            _logger.Broker(e.Error.Reason); // the partitions are moving; who gets them starts from the last commit
        }
    }

    private long CommittedOf(TopicPartition partition) => partition.Topic == _options.Topics.Interactions
        ? PartitionOf(partition.Partition.Value).Committed
        : _requests[partition.Partition.Value].Committed;

    private void MeasureLag()
    {
        _lagAt = _time.GetTimestamp();
        long lag = 0;
        foreach (var partition in _group.Assignment)
        {
            // Fetches bring the newest offset along; a paused partition has none and must be asked for.
            var watermarks = _pauseApplied ? _group.QueryWatermarkOffsets(partition, BrokerTimeout) : _group.GetWatermarkOffsets(partition);
            var next = _group.Position(partition);
            if (watermarks.High.IsSpecial)
                continue;
            lag += Math.Max(0, watermarks.High.Value - Math.Max(watermarks.Low.Value, next.IsSpecial ? CommittedOf(partition) : next.Value));
        }

        _stats.SetLag(lag);
    }
}
