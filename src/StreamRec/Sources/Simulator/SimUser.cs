using System.Globalization;

namespace StreamRec.Sources.Simulator;

/// <summary>One simulated person: a taste over topics and styles that drifts, and the session they are in.</summary>
internal sealed class SimUser
{
    private const float FavouriteTopic = 3.2f, FavouriteStyle = 1.6f;

    private readonly float[] _target;
    private long _tasteMs;

    public SimUser(int index, long joinedMs, Random random)
    {
        Id = string.Create(CultureInfo.InvariantCulture, $"u{index:D5}");
        JoinedMs = joinedMs;
        _tasteMs = joinedMs;
        Activity = Math.Exp(SimItem.Gauss(random) * 0.8); // a few people do most of it
        _target = new float[Vocabulary.Topics.Length + Vocabulary.Styles.Length];
        for (var i = 0; i < 2; i++)
            _target[random.Next(Vocabulary.Topics.Length)] = FavouriteTopic * (1 - (0.2f * i));
        _target[Vocabulary.Topics.Length + random.Next(Vocabulary.Styles.Length)] = FavouriteStyle;
        Taste = [.. _target];
    }

    public string Id { get; }
    public long JoinedMs { get; }

    /// <summary>Relative number of sessions; log-normal around 1.</summary>
    public double Activity { get; }

    /// <summary>Weight per topic, then per style: the log-odds an item gains by serving it fully.</summary>
    public float[] Taste { get; }
    public HashSet<int> Seen { get; } = [];

    /// <summary>Events left in the session; 0 outside one.</summary>
    public int Left { get; set; }

    /// <summary>Item of the session's previous event; null at its start.</summary>
    public SimItem? Previous { get; set; }
    public int Sessions { get; set; }

    /// <summary>Moves the taste to a moment: about every 20 days one favourite topic gives way to another, over a week or so.</summary>
    public void Drift(long timeMs, Random random)
    {
        var days = (timeMs - _tasteMs) / 86_400_000.0;
        if (days <= 0)
            return;
        _tasteMs = timeMs;
        if (random.NextDouble() < 1 - Math.Exp(-days / 20))
            ChangeTarget(random);
        var step = (float)(1 - Math.Exp(-days / 5));
        for (var i = 0; i < Taste.Length; i++)
            Taste[i] += (_target[i] - Taste[i]) * step;
    }

    private void ChangeTarget(Random random)
    {
        var topics = _target.AsSpan(0, Vocabulary.Topics.Length);
        var old = random.Next(topics.Length);
        while (topics[old] == 0)
            old = (old + 1) % topics.Length;
        var weight = topics[old];
        topics[old] = 0;
        topics[random.Next(topics.Length)] = weight;
    }
}
