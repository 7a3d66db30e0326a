using StreamRec.Trainer.Losses;
using StreamRec.TrainerTests.Layers;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.TrainerTests.Losses;

public class LossTests
{
    private const double Temperature = 0.25;

    [Fact]
    public void In_batch_softmax_with_logq_equals_the_reference() =>
        Check("inbatch_logq", ["user", "item"], (f, x) => SoftmaxLosses.InBatch(x["user"], x["item"], f.Float("in.logq"), Temperature));

    [Fact]
    public void In_batch_softmax_removes_accidental_hits() =>
        Check("inbatch_logq_no_accidental_hits", ["user", "item"], (f, x) =>
            SoftmaxLosses.InBatch(x["user"], x["item"], f.Float("in.logq"), Temperature, f.Tensor("in.item_ids")));

    [Fact]
    public void In_batch_softmax_weighs_its_rows() =>
        Check("inbatch_logq_weighted", ["user", "item"], (f, x) =>
            SoftmaxLosses.InBatch(x["user"], x["item"], f.Float("in.logq"), Temperature, weight: f.Float("in.weight")));

    [Fact]
    public void Sampled_softmax_with_shared_negatives_equals_the_reference() =>
        Check("sampled_softmax_shared_negatives_logq", ["user", "item", "neg"], (f, x) =>
            SoftmaxLosses.Shared(x["user"], x["item"], x["neg"], f.Float("in.pos_logq"), f.Float("in.neg_logq"), Temperature));

    [Fact]
    public void Full_softmax_over_the_item_table_equals_the_reference() =>
        Check("full_softmax_item_table", ["user", "item_table", "item_bias"], (f, x) =>
            SoftmaxLosses.Full(x["user"], x["item_table"], x["item_bias"], f.Tensor("in.target")));

    [Fact]
    public void Label_smoothing_equals_the_reference() =>
        Check("cross_entropy_label_smoothing", ["logits"], (f, x) =>
            SoftmaxLosses.Full(x["logits"], torch.eye(11), null, f.Tensor("in.target"), 0.1));

    [Fact]
    public void Cross_entropy_equals_the_reference() =>
        Check("cross_entropy", ["logits"], (f, x) => SoftmaxLosses.Full(x["logits"], torch.eye(11), null, f.Tensor("in.target")));

    [Fact]
    public void Cross_entropy_leaves_out_ignored_targets() =>
        Check("cross_entropy_ignore_index", ["logits"], (f, x) => F.cross_entropy(x["logits"], f.Tensor("in.target")));

    [Fact]
    public void Bpr_equals_the_reference() =>
        Check("bpr", ["user", "pos", "neg"], (_, x) => PairLosses.Bpr(x["user"], x["pos"], x["neg"]));

    [Fact]
    public void Bpr_with_the_penalty_of_lightgcn_equals_the_reference() =>
        Check("bpr_lightgcn_reg", ["user", "pos", "neg", "user0", "pos0", "neg0"], (_, x) =>
            PairLosses.Bpr(x["user"], x["pos"], x["neg"]) + PairLosses.EgoPenalty(x["user0"], x["pos0"], x["neg0"], 0.125));

    [Fact]
    public void Bpr_stays_finite_at_extreme_differences() =>
        Check("bpr_extreme", ["diff"], (_, x) => PairLosses.BprOfDifference(x["diff"]));

    [Fact]
    public void Max_margin_with_random_and_hard_negatives_equals_the_reference() =>
        Check("max_margin_hard_negatives", ["query", "pos", "random_neg", "hard_neg"], (_, x) =>
            PairLosses.MaxMargin(x["query"], x["pos"], x["random_neg"], x["hard_neg"]));

    [Fact]
    public void Max_margin_with_the_hardest_of_the_batch_equals_the_reference() =>
        Check("max_margin_hardest_in_batch", ["query", "item"], (_, x) => PairLosses.HardestInBatch(x["query"], x["item"]));

    [Fact]
    public void InfoNce_equals_the_reference() =>
        Check("infonce", ["a", "b"], (_, x) => PairLosses.InfoNce(x["a"], x["b"], 0.125));

    private static void Check(string name, string[] leaves, Func<Golden, Dictionary<string, Tensor>, Tensor> loss)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Golden.Open($"losses/{name}");
        var inputs = leaves.ToDictionary(l => l, l => file.Leaf("in." + l));
        file.CheckGradients(loss(file, inputs), inputs);
    }
}
