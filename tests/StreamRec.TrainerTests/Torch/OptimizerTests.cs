using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Torch;

public sealed class OptimizerTests
{
    public static TheoryData<ScalarType> Types => [ScalarType.Float32, ScalarType.Float64];

    [Theory]
    [MemberData(nameof(Types))]
    public void AdamW_equals_the_golden_run(ScalarType dtype) => Run("const", dtype, _ => 1e-2);

    [Theory]
    [MemberData(nameof(Types))]
    public void AdamW_with_a_learning_rate_set_per_step_equals_the_golden_run(ScalarType dtype)
    {
        Run("cosine", dtype, step => 1e-2 * CosineWithWarmUp(step, warmUp: 3, total: 10));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void AdamW_after_clipping_equals_the_golden_run(ScalarType dtype) => Run("clip1", dtype, _ => 1e-2, clip: true);

    private static double CosineWithWarmUp(int step, int warmUp, int total)
        => step < warmUp ? (double)step / warmUp : 0.5 * (1 + Math.Cos(Math.PI * (step - warmUp) / (total - warmUp)));

    private static void Run(string variant, ScalarType dtype, Func<int, double> learningRate, bool clip = false)
    {
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("losses/adamw");
        var parameter = new Parameter(golden.Tensor("in.param_0", dtype));
        using var optimizer = optim.AdamW([parameter], lr: 1e-2, weight_decay: 0.01);
        for (var step = 1; step <= 5; step++)
        {
            optimizer.zero_grad();
            parameter.mul(golden.Tensor($"in.grad_{step}", dtype)).sum().backward();
            if (clip)
            {
                var norm = nn.utils.clip_grad_norm_([parameter], 1.0);
                golden.AssertClose($"out.clip1.norm_before_clip_{step}", tensor(norm, dtype: dtype));
            }

            foreach (var group in optimizer.ParamGroups)
                group.LearningRate = learningRate(step);
            optimizer.step();
            golden.AssertClose($"out.{variant}.param_{step}", parameter);
        }
    }
}
