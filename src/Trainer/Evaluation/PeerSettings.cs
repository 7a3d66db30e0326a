using StreamRec.Model;

namespace StreamRec.Trainer.Evaluation;

/// <summary>A ranker that stands beside every result: one channel of ours with the settings that were best for it on the validation part.</summary>
/// <param name="Name">In reports.</param>
/// <param name="Channel">One of <see cref="ChannelNames"/>.</param>
/// <param name="Config">Its settings.</param>
public sealed record Baseline(string Name, string Channel, ModelConfig Config);

/// <summary>
/// Settings of the baselines: those that a search on the validation part chose
/// for each data set and protocol, published with the protocol's results.
/// </summary>
public static class PeerSettings
{
    /// <summary>The baselines of a data set's task; for a set without published settings those of the nearest kind of set.</summary>
    /// <param name="repeats">The set is a shop, where people come back for the same item.</param>
    /// <param name="protocol">What is asked.</param>
    /// <param name="seen">The task.</param>
    public static IReadOnlyList<Baseline> Of(bool repeats, EvalProtocol protocol, SeenRule seen)
    {
        var ((lambda, gamma), (neighbours, shrink, decay)) = repeats ? Shop(protocol, seen) : Films(protocol);
        var (plainLambda, plainNeighbours, plainShrink) = repeats ? PlainShop(protocol, seen) : PlainFilms(protocol);
        List<Baseline> all =
        [
            new("popularity-30d", ChannelNames.Popularity, new ModelConfig { Channels = [ChannelNames.Popularity] }),
            ItemKnn("itemknn", plainNeighbours, plainShrink, 1), ItemKnn("itemknn-decay", neighbours, shrink, decay),
            Ease("ease", plainLambda, 1), Ease("ease-decay", lambda, gamma),
        ];
        if (seen == SeenRule.Repeat)
        {
            var personal = protocol == EvalProtocol.Temporal ? 0.995f : 1f;
            all.Add(new("personal-frequency", ChannelNames.Personal, new ModelConfig { Channels = [ChannelNames.Personal], PersonalGamma = personal }));
        }

        return all;
    }

    private static ((float, float), (int, float, float)) Films(EvalProtocol protocol) => protocol switch
    {
        EvalProtocol.Temporal => ((500, 0.99f), (300, 10, 0.8f)),
        EvalProtocol.Prequential => ((500, 0.8f), (300, 0, 0.8f)),
        _ => ((1000, 0.8f), (300, 50, 0.8f)),
    };

    private static (float, int, float) PlainFilms(EvalProtocol protocol) => protocol switch
    {
        EvalProtocol.Temporal => (200, 200, 100),
        EvalProtocol.Prequential => (200, 500, 0),
        _ => (2000, 500, 10),
    };

    private static ((float, float), (int, float, float)) Shop(EvalProtocol protocol, SeenRule seen) => (protocol, seen) switch
    {
        (EvalProtocol.Temporal, SeenRule.Repeat) => ((200, 0.99f), (200, 10, 0.98f)),
        (EvalProtocol.Temporal, _) => ((500, 0.99f), (50, 10, 0.98f)),
        (EvalProtocol.Prequential, _) => ((200, 0.5f), (200, 10, 0.5f)),
        _ => ((1000, 0.99f), (200, 0, 0.98f)),
    };

    private static (float, int, float) PlainShop(EvalProtocol protocol, SeenRule seen) => (protocol, seen) switch
    {
        (EvalProtocol.Temporal, SeenRule.Repeat) => (200, 100, 50),
        (EvalProtocol.Temporal, _) => (200, 20, 50),
        (EvalProtocol.Prequential, _) => (20, 100, 10),
        _ => (500, 100, 10),
    };

    private static Baseline ItemKnn(string name, int neighbours, float shrink, float gamma) => new(name, ChannelNames.ItemKnn, new ModelConfig
    {
        Channels = [ChannelNames.ItemKnn], ItemKnn = new ItemKnnConfig { Neighbours = neighbours, Shrink = shrink, Gamma = gamma },
    });

    private static Baseline Ease(string name, float lambda, float gamma) => new(name, ChannelNames.Ease, new ModelConfig
    {
        Channels = [ChannelNames.Ease], Ease = new EaseConfig { Lambda = lambda, Gamma = gamma },
    });
}
