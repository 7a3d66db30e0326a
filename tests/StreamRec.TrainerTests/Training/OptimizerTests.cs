using System.Text.Json;
using StreamRec.Trainer.Training;
using StreamRec.TrainerTests.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using AdamW = StreamRec.Trainer.Training.AdamW;

namespace StreamRec.TrainerTests.Training;

public class OptimizerTests
{
    [Theory]
    [InlineData("const", false)]
    [InlineData("cosine", true)]
    public void Five_steps_of_adamw_equal_the_reference(string name, bool cosine)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open("losses/adamw");
        var parameter = new Parameter(file.Float("in.param_0"));
        using var optimizer = new AdamW([parameter], 0.9, 0.999, 1e-8, 0.01);
        for (var step = 1; step <= 5; step++)
        {
            optimizer.Step([file.Float($"in.grad_{step}")], cosine ? Schedule.Cosine(1e-2, step, 3, 10) : 1e-2);
            file.AssertClose($"out.{name}.param_{step}", parameter);
            file.AssertClose($"out.{name}.exp_avg_{step}", optimizer.Mean[0]);
            file.AssertClose($"out.{name}.exp_avg_sq_{step}", optimizer.Square[0]);
        }
    }

    [Fact]
    public void A_parameter_without_gradient_is_left_alone()
    {
        using var scope = torch.NewDisposeScope();
        var parameter = new Parameter(torch.ones(3));
        using var optimizer = new AdamW([parameter], 0.9, 0.999, 1e-8, 0.5);
        optimizer.Step([null], 0.1);
        Assert.Equal([1f, 1f, 1f], parameter.data<float>().ToArray());
    }

    [Fact]
    public void Schedules_equal_the_reference_at_every_step()
    {
        var json = Golden.Json("losses/schedules.json");
        foreach (var schedule in json.GetProperty("schedules").EnumerateArray())
        {
            var (rate, warm, total) = (
                schedule.GetProperty("base_lr").GetDouble(),
                schedule.GetProperty("warmup_steps").GetInt32(),
                schedule.GetProperty("total_steps").GetInt32());
            var linear = schedule.GetProperty("kind").GetString()!.StartsWith("linear", StringComparison.Ordinal);
            var expected = schedule.GetProperty("lr").EnumerateArray().Select(x => x.GetDouble()).ToArray();
            for (var step = 0; step < expected.Length; step++)
            {
                var actual = linear
                    ? Schedule.Linear(rate, step, warm, total)
                    : Schedule.Cosine(rate, step, warm, total, schedule.GetProperty("min_ratio").GetDouble());
                Assert.Equal(expected[step], actual, 1e-9 * rate);
            }
        }
    }
}
