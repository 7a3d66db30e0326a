using StreamRec.Trainer.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Layers;

public class MaskDropoutTests
{
    [Fact]
    public void It_zeroes_the_asked_share_and_keeps_the_mean()
    {
        using var scope = torch.NewDisposeScope();
        var dropout = new MaskDropout();
        dropout.Seed(7);
        var y = dropout.Apply(torch.ones(1000, 333), 0.3, training: true).data<float>().ToArray();
        Assert.InRange(y.Count(v => v == 0) / (double)y.Length, 0.298, 0.304);
        Assert.InRange(y.Average(), 0.995f, 1.005f);
        Assert.Equal(2, y.Distinct().Count());
    }

    [Fact]
    public void Rows_and_columns_are_dropped_independently()
    {
        using var scope = torch.NewDisposeScope();
        var dropout = new MaskDropout();
        dropout.Seed(1);
        var y = dropout.Apply(torch.ones(4096, 64), 0.5, training: true).gt(0).to(ScalarType.Float32);
        var columns = y.mean([0]).data<float>().ToArray();
        Assert.All(columns, c => Assert.InRange(c, 0.46f, 0.54f));
        var centred = y - 0.5;
        var correlation = centred.t().mm(centred) / 4096.0 * 4.0;
        Assert.True((correlation - torch.eye(64)).abs().max().ToDouble() < 0.08);
    }

    [Fact]
    public void The_same_seed_gives_the_same_mask_and_evaluation_drops_nothing()
    {
        using var scope = torch.NewDisposeScope();
        var (first, second) = (new MaskDropout(), new MaskDropout());
        first.Seed(3);
        second.Seed(3);
        var x = torch.randn(50, 70);
        Assert.Equal(first.Apply(x, 0.2, true).data<float>().ToArray(), second.Apply(x, 0.2, true).data<float>().ToArray());
        Assert.NotEqual(first.Apply(x, 0.2, true).data<float>().ToArray(), second.Apply(x, 0.5, true).data<float>().ToArray());
        Assert.Same(x, first.Apply(x, 0.2, training: false));
    }
}
