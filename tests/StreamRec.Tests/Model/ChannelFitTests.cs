using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

using Tensors = Dictionary<string, (long[] Shape, float[] Data)>;

public sealed class ChannelFitTests
{
    private const int Items = 61, Users = 40;
    private static readonly FitEvents Events = TestModels.Events(Items, 1500, 11);
    private static readonly DistinctPairs Pairs = DistinctPairs.From(Events.User, Events.Item, Events.Users, Items);

    [Fact]
    public void Distinct_pairs_equal_a_set()
    {
        var set = Events.User.Zip(Events.Item).ToHashSet();
        Assert.Equal(set.Count, Pairs.Count);
        for (var u = 0; u < Users; u++)
            Assert.Equal(set.Where(p => p.First == u).Select(p => p.Second).Order(), Pairs.ItemsOf(u).ToArray());
        for (var i = 0; i < Items; i++)
            Assert.Equal(set.Where(p => p.Second == i).Select(p => p.First).Order(), Pairs.UsersOf(i).ToArray());
    }

    [Fact]
    public void ItemKnn_keeps_the_nearest_history_items_of_each_target()
    {
        var x = Matrix();
        var rows = ChannelFit.ItemKnn(Pairs, new ItemKnnConfig { Neighbours = 7, Shrink = 3 }, 2, CancellationToken.None);
        for (var target = 0; target < Items; target++)
        {
            var similarities = Enumerable.Range(0, Items).Select(i => i == target ? 0 : Cosine(x, i, target, 3)).ToArray();
            var cut = similarities.Order().ToArray()[^7];
            for (var i = 0; i < Items; i++)
                Assert.Equal(similarities[i] >= cut ? similarities[i] : 0, rows.At(i, target), 1e-6);
        }
    }

    [Fact]
    public void Nearby_weighs_pairs_by_their_distance_in_a_sequence_and_no_item_is_near_itself()
    {
        // Person 0: 0 1 2 0, person 1: 2 1; window 2, decay 1/2, no shrink. Item 3 is beyond every window.
        var rows = ChannelFit.Nearby([0, 0, 0, 0, 1, 1], [0, 1, 2, 0, 2, 1], 2, 4, new NearbyConfig { Window = 2, Decay = 0.5f, Shrink = 0 });
        Assert.Equal((1 + 0.5) / Math.Sqrt(2 * 2), rows.At(0, 1), 1e-6); // at distance 1 and, backwards from the second 0, at 2
        Assert.Equal((0.5 + 1) / Math.Sqrt(2 * 2), rows.At(0, 2), 1e-6);
        Assert.Equal((1.0 + 1) / Math.Sqrt(2 * 2), rows.At(1, 2), 1e-6);
        Assert.Equal(rows.At(1, 2), rows.At(2, 1));
        Assert.Equal(0, rows.At(0, 0));
        Assert.Equal(6, rows.Entries);
    }

    [Fact]
    public void Ease_equals_the_closed_form_in_double_precision()
    {
        var x = Matrix();
        var inverse = InvertNaively(Gram(x, 25));
        var tensors = new Tensors();
        ChannelFit.Ease(Pairs, new EaseConfig { Lambda = 25 }, tensors, 2, CancellationToken.None);
        var dense = tensors[TensorNames.EaseDense].Data;
        for (var i = 0; i < Items; i++)
        {
            for (var j = 0; j < Items; j++)
                Assert.Equal(i == j ? 0 : -inverse[i, j] / inverse[j, j], dense[(i * Items) + j], 2e-5);
        }
    }

    [Fact]
    public void Sparse_ease_keeps_the_largest_entries_of_each_history_item()
    {
        var (dense, sparse) = (new Tensors(), new Tensors());
        ChannelFit.Ease(Pairs, new EaseConfig { Lambda = 25 }, dense, 2, CancellationToken.None);
        ChannelFit.Ease(Pairs, new EaseConfig { Lambda = 25, DenseItems = 10, KeepPerRow = 9 }, sparse, 1, CancellationToken.None);
        Assert.False(sparse.ContainsKey(TensorNames.EaseDense));
        var artifact = TestModels.Artifact(new ModelConfig(), Items, sparse);
        var rows = SparseRows.Read(artifact, TensorNames.EaseCount, TensorNames.EaseIndex, TensorNames.EaseValue)!;
        for (var i = 0; i < Items; i++)
        {
            var row = dense[TensorNames.EaseDense].Data.AsSpan(i * Items, Items).ToArray();
            var cut = row.Select(Math.Abs).Order().ToArray()[^9];
            for (var j = 0; j < Items; j++)
                Assert.Equal(Math.Abs(row[j]) >= cut ? row[j] : 0, rows.At(i, j), 1e-6);
        }
    }

    [Fact]
    public void A_catalogue_too_large_for_ease_is_refused_with_both_numbers()
    {
        var error = Assert.Throws<InvalidOperationException>(
            () => ChannelFit.Ease(Pairs, new EaseConfig { MaxItems = 60 }, new Tensors(), 1, CancellationToken.None));
        Assert.Contains("61", error.Message, StringComparison.Ordinal);
        Assert.Contains("60", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Negative_events_are_no_evidence_and_threads_do_not_change_the_result()
    {
        var config = new ModelConfig { Channels = [ChannelNames.ItemKnn, ChannelNames.Ease, ChannelNames.Markov] };
        var types = new byte[Events.User.Length];
        Array.Fill(types, (byte)5);
        types[0] = 8; // a return
        var (one, two) = (new Tensors(), new Tensors());
        ChannelFit.Fit(config, Events with { Type = types }, one, 1, CancellationToken.None);
        ChannelFit.Fit(config, Events with { Type = types }, two, 2, CancellationToken.None);
        Assert.Equal(Events.User.Length - 1, one[TensorNames.ItemCount].Data.Sum());
        Assert.Equal(one.Keys.Order(), two.Keys.Order());
        Assert.All(one, t => Assert.Equal(t.Value.Data, two[t.Key].Data));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(48)]
    [InlineData(200)]
    public void An_inverse_times_its_matrix_is_the_identity(int n)
    {
        var random = new Random(n);
        var stride = SymmetricInverse.Padded(n);
        var b = TestModels.Gaussian(random, n * n, 1);
        var a = new float[stride * stride];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
                a[(i * stride) + j] = Enumerable.Range(0, n).Sum(k => b[(i * n) + k] * b[(j * n) + k]) + (i == j ? n : 0);
        }

        var inverse = a.ToArray();
        SymmetricInverse.Invert(inverse, n, 2, CancellationToken.None);
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
                Assert.Equal(i == j ? 1 : 0, Enumerable.Range(0, n).Sum(k => (double)a[(i * stride) + k] * inverse[(k * stride) + j]), 2e-4);
        }
    }

    [Fact]
    public void A_matrix_that_is_not_positive_definite_is_refused()
    {
        var a = new float[48 * 48];
        a[0] = 1;
        a[49] = -1;
        Assert.Throws<ArithmeticException>(() => SymmetricInverse.Invert(a, 2, 1, CancellationToken.None));
    }

    private static double[,] Matrix()
    {
        var x = new double[Users, Items];
        foreach (var (u, i) in Events.User.Zip(Events.Item))
            x[u, i] = 1;
        return x;
    }

    private static double Dot(double[,] x, int i, int j) => Enumerable.Range(0, Users).Sum(u => x[u, i] * x[u, j]);

    private static double Cosine(double[,] x, int i, int j, double shrink) => Dot(x, i, j) / (Math.Sqrt(Dot(x, i, i) * Dot(x, j, j)) + shrink);

    private static double[,] Gram(double[,] x, double lambda)
    {
        var gram = new double[Items, Items];
        for (var i = 0; i < Items; i++)
        {
            for (var j = 0; j < Items; j++)
                gram[i, j] = Dot(x, i, j) + (i == j ? lambda : 0);
        }

        return gram;
    }

    /// <summary>Gauss-Jordan without pivoting, fine for a well-conditioned positive definite matrix.</summary>
    private static double[,] InvertNaively(double[,] a)
    {
        var n = a.GetLength(0);
        var result = new double[n, n];
        for (var i = 0; i < n; i++)
            result[i, i] = 1;
        for (var p = 0; p < n; p++)
        {
            var pivot = a[p, p];
            for (var j = 0; j < n; j++)
                (a[p, j], result[p, j]) = (a[p, j] / pivot, result[p, j] / pivot);
            for (var i = 0; i < n; i++)
            {
                var factor = a[i, p];
                for (var j = 0; j < n && i != p; j++)
                    (a[i, j], result[i, j]) = (a[i, j] - (factor * a[p, j]), result[i, j] - (factor * result[p, j]));
            }
        }

        return result;
    }
}
