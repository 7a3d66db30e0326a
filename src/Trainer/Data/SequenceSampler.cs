using StreamRec.Contracts;
using StreamRec.Model;

namespace StreamRec.Trainer.Data;

/// <summary>Which events a position of a history is asked for.</summary>
public enum TargetMode
{
    /// <summary>The event after it: the question of P2, where a line of an invoice sees the lines before it.</summary>
    Next,

    /// <summary>
    /// The last event of a moment is asked for each event of the next moment:
    /// the question of P2-strict, and of a list made between two visits.
    /// </summary>
    Moment,

    /// <summary>Both.</summary>
    Both,
}

/// <summary>
/// Cuts the users' histories into training batches: every event after a user's first is a target once per epoch.
/// Per epoch: events that share a timestamp are put into a random order (their order in the log is an accident), each history is cut at a random first
/// place, and chunks of similar length are batched by tokens. A pure function of (log, options, seed, epoch), so a resumed run sees the same batches.
/// </summary>
public sealed class SequenceSampler
{
    /// <summary>Chunks sorted by length together: enough to pad little, few enough to keep the batches random.</summary>
    private const int SortWindow = 512;

    /// <summary>Events of one moment a position is asked for, at most: a bulk import must not fill a batch.</summary>
    private const int MaxMoment = 32;

    private readonly EventLog _log;
    private readonly int _maxLength;
    private readonly int _batchTokens;
    private readonly int _seed;
    private readonly TargetMode _mode;
    private readonly bool _copies;
    private readonly ItemEdges? _edges;
    private readonly EventTypes _types;
    private readonly int[][] _users;

    /// <param name="log">All events; only those in [0, <paramref name="end"/>) are read.</param>
    /// <param name="end">First event that is not for training.</param>
    /// <param name="maxLength">Longest chunk, in inputs.</param>
    /// <param name="batchTokens">Padded positions per batch, about.</param>
    /// <param name="types">Events whose type weighs 0 or less are read but never a target: nobody wants to be recommended a return.</param>
    /// <param name="seed">With the epoch number decides every random choice.</param>
    /// <param name="mode">Which events are asked for.</param>
    /// <param name="copies">Fill <see cref="SequenceBatch.Copies"/>.</param>
    /// <param name="edges">Fill <see cref="SequenceBatch.Hops"/> from them.</param>
    public SequenceSampler(
        EventLog log, int end, int maxLength, int batchTokens, EventTypes types, int seed,
        TargetMode mode = TargetMode.Next, bool copies = false, ItemEdges? edges = null)
    {
        (_log, _maxLength, _batchTokens, _types, _seed, _mode, _copies, _edges) = (log, maxLength, batchTokens, types, seed, mode, copies, edges);
        var users = new List<int[]>();
        for (var u = 0; u < log.Users; u++)
        {
            var events = log.EventsOf(u);
            var count = LowerBound(events, end);
            if (count > 1)
                users.Add(events[..count].ToArray());
        }

        _users = [.. users];
        Targets = _users.Sum(u => u.Length - 1);
        ItemCounts = log.ItemCounts(end);
    }

    /// <summary>Training events per item.</summary>
    public int[] ItemCounts { get; }

    /// <summary>Next-event questions per epoch.</summary>
    public int Targets { get; }

    /// <summary>The batches of one epoch, in the order to train on them; cut and shuffled here, built when they are read.</summary>
    /// <param name="epoch">0-based.</param>
    /// <param name="newerThan">Only chunks with a target at or after this event index; 0 for all. For fine-tuning on new edges.</param>
    /// <param name="replay">Chance that a chunk without a new target is kept all the same, so that old tastes are not forgotten.</param>
    public SequenceEpoch Epoch(int epoch, int newerThan = 0, double replay = 0)
    {
        var random = new Random(HashCode(_seed, epoch));
        var chunks = new List<ArraySegment<int>>();
        foreach (var user in _users)
            Cut(ShuffleWithinMoments(user, random), random, newerThan, replay, chunks);
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(chunks));

        var batches = new List<List<ArraySegment<int>>>();
        for (var at = 0; at < chunks.Count; at += SortWindow)
        {
            var window = chunks.GetRange(at, Math.Min(SortWindow, chunks.Count - at));
            window.Sort((a, b) => a.Count.CompareTo(b.Count));
            var from = 0;
            for (var k = 1; k <= window.Count; k++)
            {
                if (k < window.Count && (k + 1 - from) * (window[k].Count - 1) <= _batchTokens)
                    continue;
                var batch = window[from..k];
                if (batch.Exists(HasTarget))
                    batches.Add(batch);
                from = k;
            }
        }

        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(batches));
        return new SequenceEpoch(batches, Build);
    }

    /// <summary>Position of the first event at or after <paramref name="end"/> in an ascending list.</summary>
    public static int LowerBound(ReadOnlySpan<int> events, int end)
    {
        var at = events.BinarySearch(end);
        return at < 0 ? ~at : at;
    }

    private int[] ShuffleWithinMoments(int[] events, Random random)
    {
        var order = (int[])events.Clone();
        for (var from = 0; from < order.Length;)
        {
            var to = from + 1;
            while (to < order.Length && _log.TimeMs[order[to]] == _log.TimeMs[order[from]])
                to++;
            if (to - from > 1)
                random.Shuffle(order.AsSpan(from, to - from));
            from = to;
        }

        return order;
    }

    /// <summary>Chunks overlap by one event: the last target of one is the first input of the next.</summary>
    private void Cut(int[] order, Random random, int newerThan, double replay, List<ArraySegment<int>> chunks)
    {
        var last = order.Length - 1;
        var to = Math.Min(last > _maxLength ? random.Next(1, _maxLength + 1) : _maxLength, last);
        for (var from = 0; from < last; (from, to) = (to, Math.Min(to + _maxLength, last)))
        {
            if (newerThan == 0 || order[to] >= newerThan || random.NextDouble() < replay)
                chunks.Add(new ArraySegment<int>(order, from, to - from + 1));
        }
    }

    private bool HasTarget(ArraySegment<int> chunk)
    {
        for (var t = 0; t + 1 < chunk.Count; t++)
        {
            foreach (var next in TargetsOf(chunk, t))
            {
                if (_types.IsPositive(_log.Type[next]))
                    return true;
            }
        }

        return false;
    }

    private SequenceBatch Build(List<ArraySegment<int>> chunks)
    {
        var length = chunks[^1].Count - 1;
        List<long> asked = [], targets = [], question = [];
        var copies = new List<(int Asked, int Item, int Bucket)>();
        for (var row = 0; row < chunks.Count; row++)
        {
            for (var t = 0; t + 1 < chunks[row].Count; t++)
            {
                var before = targets.Count;
                foreach (var next in TargetsOf(chunks[row], t))
                {
                    if (!_types.IsPositive(_log.Type[next]))
                        continue;
                    question.Add(asked.Count);
                    targets.Add(_log.Item[next]);
                }

                if (targets.Count == before)
                    continue;
                if (_copies)
                    Copy(chunks[row], t, asked.Count, copies);
                asked.Add((row * length) + t);
            }
        }

        var batch = new SequenceBatch(chunks.Count, length)
        {
            Asked = [.. asked], Target = [.. targets], Question = asked.Count == targets.Count ? null : [.. question],
        };
        batch.Copies.AddRange(copies);
        batch.Hops = _edges?.Of(chunks, length);
        for (var row = 0; row < chunks.Count; row++)
            Fill(batch, row, chunks[row]);
        return batch;
    }

    /// <summary>All of the user's events up to position t, also those before the chunk.</summary>
    private void Copy(ArraySegment<int> chunk, int t, int asked, List<(int Asked, int Item, int Bucket)> copies)
    {
        var nowMs = _log.TimeMs[chunk[t + 1]]; // targets of one position are of one moment
        foreach (var e in chunk.Array.AsSpan(0, chunk.Offset + t + 1))
        {
            if (_types.IsPositive(_log.Type[e]))
                copies.Add((asked, _log.Item[e], Buckets.Time(nowMs - _log.TimeMs[e])));
        }
    }

    /// <summary>The events position <paramref name="t"/> is asked for; a moment's other events may lie beyond the chunk.</summary>
    private ReadOnlySpan<int> TargetsOf(ArraySegment<int> chunk, int t)
    {
        var order = chunk.Array.AsSpan(chunk.Offset + t);
        var sameMoment = _log.TimeMs[order[0]] == _log.TimeMs[order[1]];
        if (_mode == TargetMode.Next || sameMoment)
            return _mode == TargetMode.Moment ? [] : order.Slice(1, 1);
        var count = 1;
        while (count < MaxMoment && count + 1 < order.Length && _log.TimeMs[order[count + 1]] == _log.TimeMs[order[1]])
            count++;
        return order.Slice(1, count);
    }

    private void Fill(SequenceBatch batch, int row, ArraySegment<int> chunk)
    {
        batch.SetUser(row, _log, _log.User[chunk[0]]);
        for (var t = 0; t + 1 < chunk.Count; t++)
        {
            var (e, next) = (chunk[t], chunk[t + 1]);
            var gap = t == 0 ? 0 : Buckets.Time(_log.TimeMs[e] - _log.TimeMs[chunk[t - 1]]);
            var ask = Buckets.Time(_log.TimeMs[next] - _log.TimeMs[e]);
            batch.Set(row, t, new UserSequence.Row(_log.Item[e], _log.Type[e], (byte)Buckets.Value(_log.Value[e]), (byte)gap, (byte)ask));
        }
    }

    private static int HashCode(int seed, int epoch) => (int)EventIds.Mix(((ulong)(uint)seed << 32) | (uint)epoch);
}
