using System.Runtime.InteropServices;
using StreamRec.Trainer;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Torch;

/// <summary>The forms and defaults the trainer relies on, so that another TorchSharp with other habits is noticed here.</summary>
public sealed class TensorTests
{
    [Fact]
    public void Element_types_follow_the_data()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(ScalarType.Float64, tensor(1.5).dtype);
        Assert.Equal(ScalarType.Float32, tensor(1.5f).dtype);
        Assert.Equal(ScalarType.Int32, tensor(1).dtype);
        Assert.Equal(ScalarType.Int32, tensor(new[] { 1, 2 }).dtype);
        Assert.Equal(ScalarType.Int64, tensor(new long[] { 1, 2 }).dtype);
        Assert.Equal(ScalarType.Bool, tensor(new[] { true }).dtype);
        Assert.Equal(ScalarType.Byte, tensor(new byte[] { 1 }).dtype);
        Assert.Equal(ScalarType.Int64, arange(3).dtype);
        Assert.Equal(ScalarType.Float32, arange(3.0).dtype);
        Assert.Equal(ScalarType.Int64, full(new long[] { 2 }, 1).dtype);
        Assert.Equal(ScalarType.Float32, full(new long[] { 2 }, 1.5).dtype);
        Assert.Equal(ScalarType.Int64, randint(0, 5, new long[] { 3 }).dtype);
        Assert.Equal(ScalarType.Int64, randperm(4).dtype);
        Assert.Equal(ScalarType.Float32, zeros(2, 3).dtype);
        Assert.Equal(ScalarType.Int64, ones(2).gt(0).sum().dtype);
        Assert.Equal(ScalarType.Float64, tensor(new float[] { 1 }, dtype: ScalarType.Float64).dtype);
    }

    [Fact]
    public void Data_goes_in_and_out_without_change()
    {
        using var scope = NewDisposeScope();
        float[] values = [1, 2, 3, 4, 5, 6];
        var x = tensor(values, new long[] { 2, 3 });
        values[0] = 9; // The tensor has its own copy.
        Assert.Equal([1f, 2, 3, 4, 5, 6], x.data<float>().ToArray());
        Assert.Equal([1f, 4, 2, 5, 3, 6], x.t().data<float>().ToArray());
        Assert.Equal(6f, x.data<float>()[1, 2]);
        Assert.Equal(6, x.data<float>().Count);
        Assert.Equal([2L, 3], from_array(new double[,] { { 1, 2, 3 }, { 4, 5, 6 } }).shape);

        var filled = empty(new long[] { 3 }, dtype: ScalarType.Float32);
        MemoryMarshal.AsBytes<float>([7, 8, 9]).CopyTo(filled.bytes);
        Assert.Equal([7f, 8, 9], filled.data<float>().ToArray());
        filled.data<float>().CopyFrom([1, 2, 3]);
        Assert.Equal(2f, filled[1].item<float>());
        var bytes = new byte[12];
        filled.bytes = bytes;
        Assert.Equal(0f, filled.sum().item<float>());
        Assert.Equal([3f, 4], tensor(new List<float> { 1, 2, 3, 4 }, new long[] { 2, 2 })[1].data<float>().ToArray());
        Assert.Equal(3, tensor(3L).ToInt32());
        Assert.Equal(2.5, tensor(2.5f).ToDouble());
        Assert.True(tensor(true).item<bool>());
    }

    [Fact]
    public void Conversion_to_the_same_type_is_the_same_object()
    {
        using var scope = NewDisposeScope();
        var x = ones(2);
        Assert.Same(x, x.to(ScalarType.Float32));
        Assert.Same(x, x.to(CPU));
        Assert.Same(x, x.cpu());
        Assert.Equal(ScalarType.BFloat16, x.to(ScalarType.BFloat16).dtype);
        Assert.Equal(ScalarType.Int64, x.@long().dtype);
        Assert.Equal(DeviceType.CPU, x.device.type);
    }

    [Fact]
    public void Indexing_reads_and_writes()
    {
        using var scope = NewDisposeScope();
        var x = arange(12).reshape(3, 4);
        Assert.Equal(6L, x[1, 2].item<long>());
        Assert.Equal([4L, 5, 6, 7], x[1].data<long>().ToArray());
        Assert.Equal([2L, 4], x[1..3].shape);
        Assert.Equal([1L, 5, 9], x[TensorIndex.Colon, TensorIndex.Single(1)].data<long>().ToArray());
        Assert.Equal([3L, 2], x[TensorIndex.Ellipsis, TensorIndex.Slice(0, null, 2)].shape);
        Assert.Equal([3L, 1, 4], x[TensorIndex.Colon, TensorIndex.None].shape);
        Assert.Equal([8L, 9, 10, 11, 0, 1, 2, 3], x[tensor(new long[] { 2, 0 })].flatten().data<long>().ToArray());
        Assert.Equal([10L, 11], x[x.gt(9)].data<long>().ToArray());
        x[0] = tensor(-1L);
        x[x.gt(9)] = tensor(0L);
        x[TensorIndex.Colon, TensorIndex.Single(0)] = tensor(new long[] { 5, 5, 5 });
        Assert.Equal([5L, -1, -1, -1, 5, 5, 6, 7, 5, 9, 0, 0], x.flatten().data<long>().ToArray());
        x.index_copy_(0, tensor(new long[] { 1 }), zeros(1, 4, dtype: ScalarType.Int64));
        Assert.Equal(0L, x[1].sum().item<long>());
    }

    [Fact]
    public void Orderings_and_counts()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 3, 1, 2, 3 });
        var (values, order) = x.sort(0, descending: true, stable: true);
        Assert.Equal([3f, 3, 2, 1], values.data<float>().ToArray());
        Assert.Equal([0L, 3, 2, 1], order.data<long>().ToArray());
        Assert.Equal([1L, 2, 0, 3], tensor(new float[] { 3, 1, 2, 4 }).argsort().data<long>().ToArray());
        Assert.Equal(1L, tensor(new float[] { 1, 5, 2 }).argmax(0).item<long>());
        Assert.Equal([0L, 2, 1], tensor(new long[] { 1, 2, 1 }).bincount(null).data<long>().ToArray());
        Assert.Equal(5, tensor(new long[] { 1 }).bincount(null, 5).numel());
        var (distinct, inverse, counts) = tensor(new long[] { 4, 2, 4 }).unique(return_inverse: true);
        Assert.Equal([2L, 4], distinct.data<long>().ToArray());
        Assert.Equal([1L, 0, 1], inverse!.data<long>().ToArray());
        Assert.True(counts is null);
        Assert.Equal([3L], tensor(new float[] { 0, 0, 0, 1 }).nonzero().flatten().data<long>().ToArray());
        Assert.Equal([1f, 4f], tensor(new float[] { 0, 1, 4 }).masked_select(tensor(new[] { false, true, true })).data<float>().ToArray());
    }

    [Fact]
    public void Duplicate_targets_add_up_in_index_add_and_scatter_add()
    {
        using var scope = NewDisposeScope();
        var index = tensor(new long[] { 1, 1, 0 });
        Assert.Equal([3f, 3f], zeros(2).index_add_(0, index, tensor(new float[] { 1, 2, 3 }), 1).data<float>().ToArray());
        Assert.Equal([3f, 3f], zeros(2).scatter_add_(0, index, tensor(new float[] { 1, 2, 3 })).data<float>().ToArray());
        Assert.Equal([-6f, -6f], zeros(2).index_add(0, index, tensor(new float[] { 1, 2, 3 }), -2).data<float>().ToArray());
    }

    [Fact]
    public void Numbers_stand_on_either_side()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2, 4 });
        Assert.Equal([1f, 0, -2], (2 - x).data<float>().ToArray());
        Assert.Equal([4f, 2, 1], (4.0 / x).data<float>().ToArray());
        Assert.Equal([false, true, true], (x > 1).data<bool>().ToArray());
        Assert.Equal([0f, 1, 2], x.div(2, RoundingMode.floor).data<float>().ToArray());
        Assert.Equal([1f, 0, 0], x.remainder(2).data<float>().ToArray());
        Assert.Equal(ScalarType.Float32, (x * 2.5).dtype);
        Assert.Equal([0f, 5f], tensor(new[] { float.NaN, 5 }).nan_to_num().data<float>().ToArray());
        Assert.True(x.isfinite().all().item<bool>());
        Assert.False(x.isnan().any().item<bool>());
    }

    [Fact]
    public void Gradients_accumulate_and_no_grad_records_nothing()
    {
        using var scope = NewDisposeScope();
        var x = ones(new long[] { 2 }, requires_grad: true);
        Assert.Null(x.Gradient());
        (x * 3).sum().backward();
        autograd.backward((x * 3).sum(), retain_graph: true);
        Assert.Equal([6f, 6f], x.Gradient()!.data<float>().ToArray());
        using (no_grad())
        {
            Assert.False((x * 2).requires_grad);
            using (enable_grad())
                Assert.True((x * 2).requires_grad);
        }

        Assert.True((x * 2).requires_grad);
        Assert.False(x.detach().requires_grad);
        var unused = ones(new long[] { 2 }, requires_grad: true);
        Assert.True(autograd.grad([x.sum()], [x, unused], allow_unused: true)[1] is null);
    }

    [Fact]
    public void A_second_derivative_exists()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new double[] { 2 }, requires_grad: true);
        var first = autograd.grad([x.pow(3).sum()], [x], create_graph: true)[0];
        Assert.Equal(12.0, autograd.grad([first.sum()], [x])[0].item<double>());
    }

    [Fact]
    public void Equal_seeds_give_equal_numbers()
    {
        using var scope = NewDisposeScope();
        using Generator a = new(7, CPU), b = new(7, CPU);
        Assert.True(rand(5, generator: a).bytes.SequenceEqual(rand(5, generator: b).bytes));
        Assert.True(randperm(9, generator: a).bytes.SequenceEqual(randperm(9, generator: b).bytes));
        a.manual_seed(3);
        b.manual_seed(3);
        Assert.True(multinomial(ones(6), 3, generator: a).bytes.SequenceEqual(multinomial(ones(6), 3, generator: b).bytes));
        Assert.False(rand(5, generator: a).bytes.SequenceEqual(rand(5, generator: a).bytes));
    }

    [Fact]
    public void Dropout_keeps_the_right_share_whatever_the_probability_and_follows_the_seed()
    {
        using var scope = NewDisposeScope();
        var x = ones(1_000_000);
        foreach (var p in new[] { 0.05, 0.3, 0.5, 0.9 })
        {
            var kept = nn.functional.dropout(x, p).ne(0).to(ScalarType.Float64);
            Assert.InRange(kept.mean().item<double>(), 1 - p - 0.003, 1 - p + 0.003);
            // Neighbours, and elements one block of the generator apart, are independent.
            foreach (var lag in new[] { 1, 2, 64, 16384 })
            {
                var both = (kept.narrow(0, 0, 900_000) * kept.narrow(0, lag, 900_000)).mean().item<double>();
                Assert.InRange(both, ((1 - p) * (1 - p)) - 0.004, ((1 - p) * (1 - p)) + 0.004);
            }
        }

        var state = get_rng_state();
        var first = nn.functional.dropout(x, 0.3);
        set_rng_state(state);
        Assert.True(first.bytes.SequenceEqual(nn.functional.dropout(x, 0.3).bytes));
        Assert.False(first.bytes.SequenceEqual(nn.functional.dropout(x, 0.3).bytes));
    }

    [Fact]
    public void The_thread_count_is_what_was_set()
    {
        var before = get_num_threads();
        set_num_threads(1);
        Assert.Equal(1, get_num_threads());
        set_num_threads(before);
        Assert.Equal(before, get_num_threads());
    }
}
