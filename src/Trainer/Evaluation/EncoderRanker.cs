using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// Ranks the item of each given event by the graph channel alone, on the training device: what the training loop validates with. Protocol P2-strict
/// (the user's events with a smaller time are visible) or P2 (with a smaller index), full catalogue, no sampling.
/// </summary>
public sealed class EncoderRanker
{
    private const int BatchTokens = 6400;

    /// <summary>Scores of a batch at most, 256 MB: a large catalogue gets smaller batches.</summary>
    private const long BatchScores = 1 << 26;

    private readonly EventLog _log;
    private readonly int[] _events;
    private readonly EncoderConfig _config;
    private readonly EventTypes _types;
    private readonly SeenRule _seen;
    private readonly bool _strict;
    private readonly int[] _counts;

    /// <param name="log">All events; histories are read from it up to each judged event.</param>
    /// <param name="events">Judged events; those with a repeated item are skipped when seen items are excluded.</param>
    /// <param name="fitEnd">End of the part the model knows: its counts break ties, items without one are last.</param>
    /// <param name="config">For the length of a history.</param>
    /// <param name="seen">Whether seen items are taken out.</param>
    /// <param name="strict">P2-strict instead of P2.</param>
    /// <param name="types">Events of weight 0 or less are no evidence for the neighbour head; null: the default types.</param>
    public EncoderRanker(EventLog log, int[] events, int fitEnd, EncoderConfig config, SeenRule seen, bool strict, EventTypes? types = null)
    {
        _types = types ?? EventTypes.Default;
        (_log, _config, _seen, _strict, _counts) = (log, config, seen, strict, log.ItemCounts(fitEnd));
        _events = [.. events.Where(e => seen == SeenRule.Repeat || !History(e).Contains(log.Item[e]))];
    }

    /// <summary>Judged events, in the order of the ranks.</summary>
    public IReadOnlyList<int> Events => _events;

    /// <summary>1-based rank of each event's item; an event without a usable history ranks by the event counts of the fit part.</summary>
    public int[] Ranks(GraphRecommender model)
    {
        using var none = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var ranks = new int[_events.Length];
        var items = model.ItemVectors();
        var order = Enumerable.Range(0, _events.Length).OrderBy(k => Length(_events[k])).ToArray();
        for (var from = 0; from < order.Length;)
        {
            var to = from + 1;
            while (to < order.Length && (to + 1 - from) * Length(_events[order[to]]) <= BatchTokens
                && (to + 1 - from) * (long)_log.Items <= BatchScores)
            {
                to++;
            }

            RankBatch(model, items, order.AsSpan(from, to - from), ranks);
            from = to;
        }

        return ranks;
    }

    private int Length(int e) => Math.Min(_config.MaxHistory, _strict ? _log.StrictPosition[e] : _log.Position[e]);

    private int[] History(int e)
    {
        var visible = _strict ? _log.StrictPosition[e] : _log.Position[e];
        return [.. _log.EventsOf(_log.User[e])[..visible].ToArray().Select(x => _log.Item[x])];
    }

    private void RankBatch(GraphRecommender model, Tensor items, ReadOnlySpan<int> rows, int[] ranks)
    {
        using var scope = torch.NewDisposeScope();
        var length = Math.Max(1, Length(_events[rows[^1]]));
        var batch = new SequenceBatch(rows.Length, length) { Asked = new long[rows.Length], Target = [] };
        for (var r = 0; r < rows.Length; r++)
            batch.Asked[r] = (r * length) + Math.Max(0, FillRow(batch, r, _events[rows[r]]) - 1);
        if (_config.Hops > 0)
            batch.Hops = Hops(batch, rows);
        var hidden = model.Users.forward(items, batch.ToInput(model.Device));
        var user = hidden.reshape(-1, hidden.shape[^1]).index_select(0, torch.tensor(batch.Asked).to(model.Device));
        for (var r = 0; r < rows.Length; r++)
            Copies(batch, r, _events[rows[r]]);
        var logits = nn.functional.linear(user, items, model.Bias);
        if (model.FromEdges(batch, user, model.Inputs.Relations?.Relations ?? [], _log.Items, hopTrust: _config.HopTrust ?? 1) is { } added)
            logits = logits + added;
        var scores = logits.cpu().contiguous().data<float>().ToArray();
        for (var r = 0; r < rows.Length; r++)
        {
            var e = _events[rows[r]];
            var row = scores.AsSpan(r * _log.Items, _log.Items);
            if (Length(e) == 0)
                row.Clear();
            ranks[rows[r]] = RankOf(e, row);
        }
    }

    private void Copies(SequenceBatch batch, int row, int e)
    {
        if (!_config.Copy)
            return;
        foreach (var earlier in _log.EventsOf(_log.User[e])[..(_strict ? _log.StrictPosition[e] : _log.Position[e])])
            batch.Copies.Add((row, _log.Item[earlier], Buckets.Time(_log.TimeMs[e] - _log.TimeMs[earlier])));
    }

    /// <summary>For the newest position of each row; nothing is left out of the edges, as in service.</summary>
    private HopEdges Hops(SequenceBatch batch, ReadOnlySpan<int> rows)
    {
        var time = new int[batch.Rows * batch.Length * batch.Length];
        for (var r = 0; r < rows.Length; r++)
        {
            var e = _events[rows[r]];
            var (visible, count) = (_strict ? _log.StrictPosition[e] : _log.Position[e], Length(e));
            var events = _log.EventsOf(_log.User[e])[(visible - count)..visible];
            for (var q = 0; q < count; q++)
            {
                if (_types.IsPositive(_log.Type[events[q]]))
                    time[(batch.Asked[r] * batch.Length) + q] = Buckets.Time(_log.TimeMs[e] - _log.TimeMs[events[q]]);
            }
        }

        return new HopEdges(time, [.. Enumerable.Range(0, _config.Hops).Select(_ => new List<(int Position, int Item, float Weight)>())]);
    }

    private int FillRow(SequenceBatch batch, int row, int e)
    {
        var visible = _strict ? _log.StrictPosition[e] : _log.Position[e];
        var events = _log.EventsOf(_log.User[e])[..visible];
        Span<UserEvent> history = new UserEvent[Math.Min(events.Length, _config.MaxHistory)];
        for (var k = 0; k < history.Length; k++)
            history[k] = _log.Edge(events[events.Length - history.Length + k]);
        Span<UserSequence.Row> codes = new UserSequence.Row[history.Length];
        var count = UserSequence.Fill(history, _log.TimeMs[e], _log.Items, codes, new int[history.Length]);
        batch.SetUser(row, _log, _log.User[e]);
        for (var t = 0; t < count; t++)
            batch.Set(row, t, codes[t]);
        return count;
    }

    private int RankOf(int e, Span<float> scores)
    {
        for (var i = 0; i < scores.Length; i++)
        {
            if (_counts[i] == 0)
                scores[i] = -1e9f;
        }

        var target = _log.Item[e];
        var (own, ownCount) = (scores[target], _counts[target]);
        if (_seen == SeenRule.Exclude)
        {
            foreach (var item in History(e))
                scores[item] = float.NegativeInfinity;
        }

        var ahead = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            if (scores[i] > own || (scores[i] == own && (_counts[i] > ownCount || (_counts[i] == ownCount && i < target))))
                ahead++;
        }

        return ahead + 1;
    }
}
