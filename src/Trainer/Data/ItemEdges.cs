using StreamRec.Contracts;
using StreamRec.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Data;

/// <summary>
/// The relations between items that the neighbour head reads, from the positive events before an end, and what each user put into them.
/// A relation is a dense matrix [items, items], row = history item. Immutable; items² floats each.
/// </summary>
public sealed class ItemEdges : IDisposable
{
    private readonly EventLog _log;
    private readonly int _end;
    private readonly EventTypes _types;
    private readonly NearbyConfig _config;
    private readonly int[] _counts;

    /// <param name="log">Events; those before <paramref name="end"/> are read.</param>
    /// <param name="end">First event that is not known.</param>
    /// <param name="types">Events of weight 0 or less make no edge.</param>
    /// <param name="config">Window, decay and shrink.</param>
    /// <param name="relations">How many; see <see cref="EncoderConfig.Hops"/>.</param>
    /// <param name="device">Where the matrices live.</param>
    public ItemEdges(EventLog log, int end, EventTypes types, NearbyConfig config, int relations, Device device)
    {
        using var scope = torch.NewDisposeScope();
        (_log, _end, _types, _config) = (log, end, types, config);
        var kept = Enumerable.Range(0, end).Where(e => _types.IsPositive(log.Type[e])).ToArray();
        int[] user = Array.ConvertAll(kept, e => log.User[e]), item = Array.ConvertAll(kept, e => log.Item[e]);
        _counts = new int[log.Items];
        foreach (var i in item)
            _counts[i]++;
        // All neighbours: whether a pair is among the nearest would say something of the user's own part in it.
        Tensor Relation(bool after)
        {
            var rows = ChannelFit.Nearby(user, item, log.Users, log.Items, config with { Neighbours = log.Items }, after);
            return torch.tensor(rows.ToDense(), new long[] { log.Items, log.Items }).to(device).DetachFromDisposeScope();
        }

        Relations = [.. Enumerable.Range(0, relations).Select(r => Relation(after: r == 1))];
    }

    /// <summary>[items, items] each, row = history item.</summary>
    public Tensor[] Relations { get; }

    public void Dispose()
    {
        foreach (var relation in Relations)
            relation.Dispose();
    }

    /// <summary>What the user of each chunk put into the rows of the chunk's items. O(user's events + positions × window).</summary>
    /// <param name="chunks">Events of one user each, one more than there are positions.</param>
    /// <param name="length">Positions per row of the batch.</param>
    public HopEdges Of(IReadOnlyList<ArraySegment<int>> chunks, int length)
    {
        var time = new int[chunks.Count * length * length];
        var own = Array.ConvertAll(Relations, _ => new List<(int Position, int Item, float Weight)>());
        for (var row = 0; row < chunks.Count; row++)
        {
            var chunk = chunks[row];
            for (var t = 0; t + 1 < chunk.Count; t++)
            {
                for (var q = 0; q <= t; q++)
                {
                    if (_types.IsPositive(_log.Type[chunk[q]]))
                        time[(((row * length) + t) * length) + q] = Buckets.Time(_log.TimeMs[chunk[t + 1]] - _log.TimeMs[chunk[q]]);
                }
            }

            AddOwn(chunk, row * length, own);
        }

        return new HopEdges(time, own);
    }

    private void AddOwn(ArraySegment<int> chunk, int firstPosition, List<(int Position, int Item, float Weight)>[] own)
    {
        var events = _log.EventsOf(_log.User[chunk[0]]);
        var sequence = new List<int>(events.Length);
        var places = new Dictionary<int, List<int>>();
        for (var t = 0; t + 1 < chunk.Count; t++)
            places.TryAdd(_log.Item[chunk[t]], []);
        foreach (var e in events[..SequenceSampler.LowerBound(events, _end)])
        {
            if (!_types.IsPositive(_log.Type[e]))
                continue;
            if (places.TryGetValue(_log.Item[e], out var of))
                of.Add(sequence.Count);
            sequence.Add(_log.Item[e]);
        }

        for (var t = 0; t + 1 < chunk.Count; t++)
        {
            var item = _log.Item[chunk[t]];
            foreach (var at in places[item])
            {
                var weight = 1f;
                for (var distance = 1; distance <= _config.Window; distance++, weight *= _config.Decay)
                {
                    Add(at - distance, false);
                    Add(at + distance, true);
                }

                void Add(int other, bool after)
                {
                    if (other < 0 || other >= sequence.Count || sequence[other] == item)
                        return;
                    var part = weight / (MathF.Sqrt((float)_counts[item] * _counts[sequence[other]]) + _config.Shrink);
                    own[0].Add((firstPosition + t, sequence[other], part));
                    if (after && own.Length > 1)
                        own[1].Add((firstPosition + t, sequence[other], part));
                }
            }
        }
    }
}
