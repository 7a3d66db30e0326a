using System.Numerics.Tensors;

namespace StreamRec.Model;

/// <summary>
/// What the counting channels are fitted on: parallel arrays in time order, model item indices (−1 = an item the model leaves out). Without times the blend's
/// features about items are left out.
/// </summary>
public sealed record FitEvents(int[] User, int[] Item, byte[] Type, int Users, int Items, long[]? TimeMs = null);

/// <summary>
/// Fits the closed-form channels from interactions and puts their tensors into an artifact under construction. Only events of positive weight
/// count. Deterministic, whatever the number of threads.
/// </summary>
public static class ChannelFit
{
    /// <summary>item.count, and for each of itemknn, ease and markov named in <see cref="ModelConfig.Channels"/> its tensors.</summary>
    /// <param name="config">Channels and their settings.</param>
    /// <param name="events">Interactions up to the fit's end.</param>
    /// <param name="tensors">Filled.</param>
    /// <param name="threads">At most this many threads.</param>
    /// <param name="ct">Checked between rows.</param>
    public static void Fit(
        ModelConfig config, FitEvents events, IDictionary<string, (long[] Shape, float[] Data)> tensors, int threads, CancellationToken ct)
    {
        var (user, item) = Positive(config, events);
        var count = new float[events.Items];
        foreach (var i in item)
            count[i]++;
        tensors[TensorNames.ItemCount] = ([events.Items], count);
        if (events.TimeMs is not null)
            ItemFacts.Fit(config, events).Write(tensors);
        var pairs = DistinctPairs.From(user, item, events.Users, events.Items);
        if (config.Channels.Contains(ChannelNames.ItemKnn) || config.Channels.Contains(ChannelNames.ItemKnnLong))
            ItemKnn(pairs, config.ItemKnn, threads, ct).Write(tensors, TensorNames.KnnCount, TensorNames.KnnIndex, TensorNames.KnnValue);
        if (config.Channels.Contains(ChannelNames.Ease) || config.Channels.Contains(ChannelNames.EaseLong))
            Ease(pairs, config.Ease, tensors, threads, ct);
        if (config.Channels.Contains(ChannelNames.Nearby) || config.Encoder is { Hops: > 0 })
        {
            Nearby(user, item, events.Users, events.Items, config.Nearby ?? new NearbyConfig())
                .Write(tensors, TensorNames.NearbyCount, TensorNames.NearbyIndex, TensorNames.NearbyValue);
        }
        if (config.Encoder is { Hops: > 1 })
        {
            Nearby(user, item, events.Users, events.Items, config.Nearby ?? new NearbyConfig(), after: true)
                .Write(tensors, TensorNames.AfterCount, TensorNames.AfterIndex, TensorNames.AfterValue);
        }
        if (config.Channels.Contains(ChannelNames.Markov))
            Markov(user, item, events.Users, events.Items).Write(tensors, TensorNames.MarkovCount, TensorNames.MarkovIndex, TensorNames.MarkovValue);
    }

    /// <summary>Cosine with shrink; per target item its nearest history items (ties at the last place are kept).</summary>
    public static SparseRows ItemKnn(DistinctPairs pairs, ItemKnnConfig config, int threads, CancellationToken ct)
    {
        var columns = new (int[] Sources, float[] Weights)[pairs.Items];
        Parallel.For(
            0, pairs.Items, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = ct },
            () => (Common: new int[pairs.Items], Touched: new List<int>()),
            (target, _, scratch) =>
            {
                columns[target] = Nearest(pairs, target, config, scratch.Common, scratch.Touched);
                return scratch;
            },
            _ => { });
        return SparseRows.FromColumns(columns);
    }

    private static (int[] Sources, float[] Weights) Nearest(DistinctPairs pairs, int target, ItemKnnConfig config, int[] common, List<int> touched)
    {
        touched.Clear();
        foreach (var user in pairs.UsersOf(target))
        {
            foreach (var other in pairs.ItemsOf(user))
            {
                if (common[other]++ == 0)
                    touched.Add(other);
            }
        }

        touched.Remove(target);
        touched.Sort();
        var sources = touched.ToArray();
        var weights = new float[sources.Length];
        double own = pairs.UsersOf(target).Length;
        for (var k = 0; k < sources.Length; k++)
            weights[k] = (float)(common[sources[k]] / (Math.Sqrt(own * pairs.UsersOf(sources[k]).Length) + config.Shrink + 1e-9));
        common[target] = 0;
        foreach (var other in sources)
            common[other] = 0;
        return KeepLargest(sources, weights, config.Neighbours);
    }

    /// <summary>The entries with the largest magnitude, in their order; ties at the last place are kept up to twice the number.</summary>
    private static (int[] Sources, float[] Weights) KeepLargest(int[] sources, float[] weights, int keep)
    {
        if (sources.Length <= keep)
            return (sources, weights);
        var magnitudes = new float[weights.Length];
        TensorPrimitives.Abs(weights, magnitudes);
        Array.Sort(magnitudes);
        var cut = magnitudes[^keep];
        var kept = Enumerable.Range(0, sources.Length).Where(k => Math.Abs(weights[k]) >= cut).Take(2 * keep).ToArray();
        return (Array.ConvertAll(kept, k => sources[k]), Array.ConvertAll(kept, k => weights[k]));
    }

    /// <summary>
    /// EASE^R: P = (XᵀX + λI)⁻¹ over the items with interactions, W[i, j] = −P[i, j] / P[j, j], diagonal 0 (Steck, "Embarrassingly shallow
    /// autoencoders for sparse data", 2019). Dense below <see cref="EaseConfig.DenseItems"/>, the largest entries per history item above.
    /// </summary>
    /// <exception cref="InvalidOperationException">More items than <see cref="EaseConfig.MaxItems"/>.</exception>
    public static void Ease(
        DistinctPairs pairs, EaseConfig config, IDictionary<string, (long[] Shape, float[] Data)> tensors, int threads, CancellationToken ct)
    {
        var items = Enumerable.Range(0, pairs.Items).Where(i => pairs.UsersOf(i).Length > 0).ToArray();
        if (items.Length > config.MaxItems)
        {
            throw new InvalidOperationException(
                $"ease needs a matrix of {items.Length}² floats; max_items is {config.MaxItems}: leave the channel out of the model");
        }
        var stride = SymmetricInverse.Padded(items.Length);
        var inverse = Gram(pairs, items, stride, config.Lambda, threads, ct);
        SymmetricInverse.Invert(inverse, items.Length, threads, ct);
        var scale = new float[items.Length];
        for (var j = 0; j < items.Length; j++)
            scale[j] = -1f / inverse[(j * stride) + j];
        if (pairs.Items <= config.DenseItems)
        {
            tensors[TensorNames.EaseDense] = ([pairs.Items, pairs.Items], Spread(inverse, stride, items, scale, pairs.Items));
            return;
        }

        var rows = new (int[] Targets, float[] Weights)[pairs.Items];
        Array.Fill(rows, ([], []));
        Parallel.For(0, items.Length, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = ct }, i =>
        {
            var row = inverse.AsSpan(i * stride, items.Length).ToArray();
            TensorPrimitives.Multiply(row, scale, row);
            row[i] = 0;
            rows[items[i]] = KeepLargest(items, row, config.KeepPerRow);
        });
        FromRows(rows).Write(tensors, TensorNames.EaseCount, TensorNames.EaseIndex, TensorNames.EaseValue);
    }

    /// <summary>
    /// Items by how often and how closely they stand together in people's sequences; per target item its nearest
    /// history items. With <paramref name="after"/> only where the target came after the history item.
    /// </summary>
    public static SparseRows Nearby(ReadOnlySpan<int> user, ReadOnlySpan<int> item, int users, int items, NearbyConfig config, bool after = false)
    {
        var sequences = new List<int>[users];
        var count = new int[items];
        for (var e = 0; e < user.Length; e++)
        {
            (sequences[user[e]] ??= []).Add(item[e]);
            count[item[e]]++;
        }

        var weights = new Dictionary<int, float>[items];
        foreach (var sequence in sequences)
        {
            for (var b = 1; b < (sequence?.Count ?? 0); b++)
            {
                var weight = 1f;
                for (var a = b - 1; a >= Math.Max(0, b - config.Window); a--, weight *= config.Decay)
                {
                    if (sequence![a] == sequence[b])
                        continue;
                    if (!after)
                        Add(sequence[a], sequence[b], weight);
                    Add(sequence[b], sequence[a], weight);
                }
            }
        }

        var columns = new (int[] Sources, float[] Weights)[items];
        for (var target = 0; target < items; target++)
        {
            int[] sources = weights[target] is { } row ? [.. row.Keys.Order()] : [];
            columns[target] = KeepLargest(
                sources, [.. sources.Select(s => weights[target]![s] / (MathF.Sqrt((float)count[target] * count[s]) + config.Shrink))], config.Neighbours);
        }

        return SparseRows.FromColumns(columns);

        void Add(int target, int source, float weight)
        {
            var row = weights[target] ??= [];
            row[source] = row.GetValueOrDefault(source) + weight;
        }
    }

    /// <summary>How often each item directly followed another in a user's sequence.</summary>
    public static SparseRows Markov(ReadOnlySpan<int> user, ReadOnlySpan<int> item, int users, int items)
    {
        var last = new int[users];
        Array.Fill(last, -1);
        var next = new SortedDictionary<int, float>[items];
        for (var e = 0; e < user.Length; e++)
        {
            if (last[user[e]] is >= 0 and var from)
            {
                var row = next[from] ??= [];
                row[item[e]] = row.GetValueOrDefault(item[e]) + 1;
            }

            last[user[e]] = item[e];
        }

        return FromRows([.. next.Select(row => row is null ? ([], []) : (row.Keys.ToArray(), row.Values.ToArray()))]);
    }

    private static SparseRows FromRows((int[] Targets, float[] Weights)[] rows)
    {
        var start = new int[rows.Length + 1];
        for (var i = 0; i < rows.Length; i++)
            start[i + 1] = checked(start[i] + rows[i].Targets.Length);
        return new SparseRows(start, [.. rows.SelectMany(r => r.Targets)], [.. rows.SelectMany(r => r.Weights)]);
    }

    private static float[] Gram(DistinctPairs pairs, int[] items, int stride, float lambda, int threads, CancellationToken ct)
    {
        var gram = new float[(long)stride * stride];
        var dense = new int[pairs.Items];
        for (var i = 0; i < items.Length; i++)
            dense[items[i]] = i;
        Parallel.For(0, items.Length, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = ct }, i =>
        {
            var row = gram.AsSpan(i * stride, items.Length);
            foreach (var user in pairs.UsersOf(items[i]))
            {
                foreach (var other in pairs.ItemsOf(user))
                    row[dense[other]]++;
            }

            row[i] += lambda;
        });
        return gram;
    }

    private static float[] Spread(float[] inverse, int stride, int[] items, float[] scale, int all)
    {
        var result = new float[(long)all * all];
        for (var i = 0; i < items.Length; i++)
        {
            var from = inverse.AsSpan(i * stride, items.Length);
            var to = result.AsSpan(items[i] * all, all);
            for (var j = 0; j < items.Length; j++)
                to[items[j]] = i == j ? 0 : from[j] * scale[j];
        }

        return result;
    }

    private static (int[] User, int[] Item) Positive(ModelConfig config, FitEvents events)
    {
        var kept = new List<int>(events.User.Length);
        for (var e = 0; e < events.User.Length; e++)
        {
            if (events.Item[e] >= 0 && events.Type[e] < config.EventWeights.Count && config.EventWeights[events.Type[e]] > 0)
                kept.Add(e);
        }

        return ([.. kept.Select(e => events.User[e])], [.. kept.Select(e => events.Item[e])]);
    }
}
