using StreamRec.Model;

namespace StreamRec.Trainer;

/// <summary>The model in service, as a candidate's opponent and as the start of fine-tuning.</summary>
public sealed class Champion
{
    public Champion(ModelArtifact artifact) => (Artifact, Model) = (artifact, RankingModel.From(artifact));

    public ModelArtifact Artifact { get; }

    public RankingModel Model { get; }

    /// <summary>Time of the newest event it learned from, Unix milliseconds.</summary>
    public long UntilMs => Artifact.Manifest.Data.Until.ToUnixTimeMilliseconds();

    /// <summary>For each of its items the index among <paramref name="itemIds"/>; −1 = gone.</summary>
    public int[] ItemsIn(string[] itemIds)
    {
        var index = itemIds.Index().ToDictionary(i => i.Item, i => i.Index, StringComparer.Ordinal);
        return [.. Artifact.Items.Select(id => index.GetValueOrDefault(id, -1))];
    }
}
