using StreamRec.Trainer.Layers;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Losses;

/// <summary>
/// Softmax objectives over items. Rows are questions, columns are items; every method returns one scalar, the
/// (weighted) mean over the rows. The product of users and items is computed in the precision of <c>products</c>
/// (null = float32). logQ: the log probability with which the sampler draws an item; subtracting it makes a sampled
/// softmax an unbiased stand-in for the full one (Bengio and Senécal, 2008; Yi et al., RecSys 2019).
/// </summary>
public static class SoftmaxLosses
{
    /// <summary>Takes a removed logit out of the softmax without the NaN that a row of only −∞ would give.</summary>
    private const double Removed = -1e9;

    /// <summary>
    /// Cross entropy of ⟨user, item⟩ + bias over the whole table: user [B, d], items [N, d], bias [N] or null, target [B] Int64.
    /// Label smoothing ε: (1−ε)·CE + ε·mean_j(−log p_j). What is <paramref name="added"/> to the logits [B, N] may be null.
    /// With <paramref name="question"/> [T] a row may have several targets [T]: target k is asked of row question[k], and the mean is over targets.
    /// </summary>
    public static Tensor Full(Tensor user, Tensor items, Tensor? bias, Tensor target, double smoothing = 0, Tensor? added = null, Tensor? question = null,
        Products? products = null)
    {
        var logits = (products ?? Products.Full).Linear(user, items, bias);
        if (added is not null)
            logits = logits + added;
        if (question is null)
            return F.cross_entropy(logits, target, label_smoothing: smoothing);
        var logP = logits.log_softmax(1);
        var picked = logP.reshape(-1).index_select(0, (question * logits.shape[1]) + target);
        return -((picked * (1 - smoothing)) + (logP.mean(new long[] { 1 }).index_select(0, question) * smoothing)).mean();
    }

    /// <summary>
    /// In-batch negatives: s_ij = ⟨user_i, item_j⟩/τ − logQ_j for every column, the positive's own included; row i's target is column i.
    /// user, item [B, d], logQ [B]. With itemIds [B] Int64, columns j ≠ i that hold row i's own item are removed (accidental hits).
    /// With weight [B] the mean over the rows is weighted.
    /// </summary>
    public static Tensor InBatch(Tensor user, Tensor item, Tensor logQ, double temperature = 1, Tensor? itemIds = null, Tensor? weight = null)
    {
        var rows = user.shape[0];
        var logits = (user.mm(item.t()) / temperature) - logQ.unsqueeze(0);
        if (itemIds is not null)
        {
            var same = itemIds.unsqueeze(0).eq(itemIds.unsqueeze(1));
            var other = torch.eye(rows, dtype: ScalarType.Float32).to(logits.device).eq(0);
            logits = logits.masked_fill(same.logical_and(other), Removed);
        }

        var target = torch.arange(rows, dtype: ScalarType.Int64, device: user.device);
        if (weight is null)
            return F.cross_entropy(logits, target);
        var loss = F.cross_entropy(logits, target, reduction: Reduction.None);
        return (loss * weight).sum() / weight.sum();
    }

    /// <summary>
    /// Column 0 the positive, then K negatives shared by the batch: s = ⟨u, ·⟩/τ − logQ. user, item [B, d], negatives [K, d],
    /// logQ [B] and [K]. hits [B, K] bool marks negatives that are the row's own positive; they are removed.
    /// </summary>
    public static Tensor Shared(
        Tensor user, Tensor item, Tensor negatives, Tensor itemLogQ, Tensor negativeLogQ, double temperature = 1, Tensor? hits = null,
        Products? products = null)
    {
        products ??= Products.Full;
        var positive = (products.Rows(user, item) / temperature) - itemLogQ;
        var negative = (products.Linear(user, negatives, null) / temperature) - negativeLogQ.unsqueeze(0);
        if (hits is not null)
            negative = negative.masked_fill(hits, Removed);
        var logits = torch.cat([positive.unsqueeze(1), negative], 1);
        return F.cross_entropy(logits, torch.zeros(new[] { user.shape[0] }, dtype: ScalarType.Int64, device: user.device));
    }
}
