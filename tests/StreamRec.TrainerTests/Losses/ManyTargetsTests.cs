using StreamRec.Trainer.Losses;
using TorchSharp;

namespace StreamRec.TrainerTests.Losses;

public class ManyTargetsTests
{
    [Fact]
    public void Several_targets_of_one_question_cost_what_they_would_as_questions_of_their_own()
    {
        using var scope = torch.NewDisposeScope();
        torch.manual_seed(4);
        var (users, items, bias) = (torch.randn(3, 6), torch.randn(9, 6), torch.randn(9));
        long[] target = [1, 5, 5, 8, 0], question = [0, 0, 1, 1, 2];
        var together = SoftmaxLosses.Full(users, items, bias, torch.tensor(target), 0.1, question: torch.tensor(question));
        var apart = SoftmaxLosses.Full(users.index_select(0, torch.tensor(question)), items, bias, torch.tensor(target), 0.1);
        Assert.Equal(apart.ToDouble(), together.ToDouble(), 1e-5);
    }
}
