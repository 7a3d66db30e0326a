using StreamRec.Trainer.Layers;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Losses;

/// <summary>Objectives that compare a positive with negatives one by one. Kept to compare with: a softmax over many negatives ranks better.</summary>
public static class PairLosses
{
    /// <summary>
    /// BPR (Rendle et al., UAI 2009): mean −log σ(⟨u,p⟩ − ⟨u,n⟩), written as softplus so that it stays finite at any difference.
    /// user, positive, negative [B, d].
    /// </summary>
    public static Tensor Bpr(Tensor user, Tensor positive, Tensor negative) =>
        BprOfDifference((user * positive).sum(1) - (user * negative).sum(1));

    /// <summary>mean −log σ(diff), diff [B].</summary>
    public static Tensor BprOfDifference(Tensor difference) => F.softplus(-difference).mean();

    /// <summary>LightGCN's penalty on the layer-0 embeddings of the batch: λ (‖u⁰‖² + ‖p⁰‖² + ‖n⁰‖²) / 2 / B.</summary>
    public static Tensor EgoPenalty(Tensor user0, Tensor positive0, Tensor negative0, double lambda) =>
        (user0.square().sum() + positive0.square().sum() + negative0.square().sum()) * (lambda / 2 / user0.shape[0]);

    /// <summary>
    /// PinSAGE's max margin: vectors are L2-normalised; mean over rows and over all their negatives of max(0, ⟨q,n⟩ − ⟨q,p⟩ + margin).
    /// query, positive [B, d]; random [K, d] shared by the batch; hard [B, H, d] each row's own, or null (the curriculum's first epoch).
    /// </summary>
    public static Tensor MaxMargin(Tensor query, Tensor positive, Tensor random, Tensor? hard, double margin = 0.1)
    {
        var q = Edges.Normalize(query);
        var scores = q.mm(Edges.Normalize(random).t());
        if (hard is not null)
            scores = torch.cat([scores, Edges.Normalize(hard).bmm(q.unsqueeze(2)).squeeze(2)], 1);
        var own = (q * Edges.Normalize(positive)).sum(1, keepdim: true);
        return (scores - own + margin).relu().mean();
    }

    /// <summary>
    /// mean_i max(0, max_{j≠i} s_ij − s_ii + margin) over s = query·itemᵀ, not normalised: only the hardest other item of the batch.
    /// query, item [B, d].
    /// </summary>
    public static Tensor HardestInBatch(Tensor query, Tensor item, double margin = 1)
    {
        var scores = query.mm(item.t());
        var own = torch.eye(query.shape[0], dtype: scores.dtype).to(scores.device);
        var hardest = (scores - (own * 1e9)).amax(new long[] { 1 }, false);
        return (hardest - (scores * own).sum(1) + margin).relu().mean();
    }

    /// <summary>InfoNCE: L2-normalise both sides, s = a·bᵀ/τ, mean cross entropy of row i against column i.</summary>
    public static Tensor InfoNce(Tensor a, Tensor b, double temperature)
    {
        var logits = Edges.Normalize(a).mm(Edges.Normalize(b).t()) / temperature;
        return F.cross_entropy(logits, torch.arange(a.shape[0], dtype: ScalarType.Int64, device: a.device));
    }
}
