using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.TrainerTests.Torch;

public sealed class LifetimeTests
{
    [Fact]
    public void A_scope_disposes_what_was_made_in_it_and_nothing_else()
    {
        using var outer = NewDisposeScope();
        var before = ones(1);
        Tensor moved, kept, dropped;
        using (var inner = NewDisposeScope())
        {
            dropped = before + 1;
            moved = (dropped * 2).MoveToOuterDisposeScope();
            kept = inner.Detach(dropped * 3);
            Assert.Equal(1, inner.DisposablesCount);
        }

        Assert.True(dropped.IsInvalid);
        Assert.False(before.IsInvalid);
        Assert.Equal(4f, moved.item<float>());
        Assert.Equal(2, outer.DisposablesCount);
        kept.Dispose();
        moved.Dispose();
        Assert.Equal(1, outer.DisposablesCount);
    }

    [Fact]
    public void Scopes_belong_to_their_thread()
    {
        using var scope = NewDisposeScope();
        Tensor? other = null;
        var thread = new Thread(() => other = ones(1));
        thread.Start();
        thread.Join();
        Assert.Equal(0, scope.DisposablesCount);
        other!.Dispose();
    }

    [Fact]
    public void A_module_made_in_a_scope_outlives_it()
    {
        Linear layer;
        using (NewDisposeScope())
            layer = nn.Linear(2, 2);
        using (NewDisposeScope())
            Assert.Equal([1L, 2L], layer.forward(ones(1, 2)).shape);
        layer.Dispose();
    }

    [Fact]
    public void A_tensor_without_a_scope_is_freed_by_the_finalizer_or_by_dispose()
    {
        var x = ones(1);
        x.Dispose();
        x.Dispose();
        Assert.True(x.IsInvalid);
    }

#if TORCHSHARP_SUBSET
    [Fact]
    public void Ten_thousand_steps_forward_and_backward_leave_no_native_memory()
    {
        using var model = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 16));
        using var optimizer = optim.AdamW(model.parameters(), lr: 1e-3, weight_decay: 0.01);
        Steps(200);
        var memory = ResidentBytes(); // Runs the finalizers of other tests first.
        var tensors = LiveTensors();
        Steps(10_000);
        Assert.True(ResidentBytes() - memory < 24 << 20, $"resident memory went from {memory >> 20} to {ResidentBytes() >> 20} MiB");
        Assert.Equal(tensors, LiveTensors());

        void Steps(int count)
        {
            for (var i = 0; i < count; i++)
            {
                using var scope = NewDisposeScope();
                optimizer.zero_grad();
                var loss = F.cross_entropy(model.forward(rand(64, 32)), randint(0, 16, new long[] { 64 }));
                loss.backward();
                nn.utils.clip_grad_norm_(model.parameters(), 1.0);
                optimizer.step();
            }
        }
    }

    [Fact]
    public void Errors_leave_no_native_memory()
    {
        using var scope = NewDisposeScope();
        var x = ones(3, 4);
        var before = LiveTensors();
        for (var i = 0; i < 1000; i++)
            Assert.ThrowsAny<System.Runtime.InteropServices.ExternalException>(() => x.view(5));
        Assert.Equal(before, LiveTensors());
    }

    private static unsafe long LiveTensors()
    {
        var library = System.Runtime.InteropServices.NativeLibrary.Load("streamrec_torch", typeof(Tensor).Assembly, null);
        return ((delegate* unmanaged<long>)System.Runtime.InteropServices.NativeLibrary.GetExport(library, "srt_live_tensors"))();
    }

    private static long ResidentBytes()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
        return long.Parse(line.AsSpan(6, line.Length - 8).Trim(), System.Globalization.CultureInfo.InvariantCulture) << 10;
    }
#endif
}
