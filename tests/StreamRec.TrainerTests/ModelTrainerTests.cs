using Microsoft.Extensions.Logging.Abstractions;
using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Data;
using StreamRec.Trainer.Training;

namespace StreamRec.TrainerTests;

public class ModelTrainerTests
{
    private static readonly TrainerOptions Options = new()
    {
        Threads = 1,
        Encoder = new EncoderConfig { Dim = 16, Ffn = 32, MaxHistory = 12 },
        Items = new ItemModelOptions { Layer = GraphLayer.PinSage },
        Loop = new LoopOptions { Epochs = 8, LearningRate = 0.01 },
        Dropout = 0.1,
        BatchTokens = 200,
        Neighbours = 5,
        ValidationEvents = 80,
        BlendEvents = 150,
        HoldoutEvents = 150,
    };

    [Fact]
    public void The_first_model_beats_popularity_and_its_artifact_serves_the_same_lists_after_loading()
    {
        var snapshot = TinyMarket.Create();
        List<string> stages = [];
        var trained = Train(snapshot, null, progress: (stage, fraction, _) =>
        {
            Assert.InRange(fraction, 0, 1);
            if (stages.Count == 0 || stages[^1] != stage)
                stages.Add(stage);
        });

        Assert.True(trained.Accepted, trained.Why);
        Assert.Equal(["train", "blend", "advance", "evaluate", "final"], stages);
        Assert.True(trained.Metrics["ndcg_10"] > trained.Metrics["popularity_ndcg_10"] + 0.1, trained.Why);
        foreach (var channel in trained.Artifact.Manifest.Config.Channels)
            Assert.InRange(trained.Metrics[channel + "_hr_20"], 0, 1);
        Assert.Equal(snapshot.Count, trained.Artifact.Manifest.Data.Interactions);
        Assert.Equal(snapshot.TimeMs[^1], trained.Artifact.Manifest.Data.Until.ToUnixTimeMilliseconds());

        var directory = Directory.CreateTempSubdirectory("streamrec-artifact-");
        try
        {
            var path = Path.Combine(directory.FullName, "v1");
            trained.Artifact.Write(path);
            Assert.Equal(TopOfUser(RankingModel.From(trained.Artifact), snapshot), TopOfUser(RankingModel.Load(path), snapshot));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_same_data_and_seed_give_the_same_artifact_digest()
    {
        var directory = Directory.CreateTempSubdirectory("streamrec-digest-");
        try
        {
            var options = Options with { Loop = Options.Loop with { Epochs = 2 } };
            var digests = Enumerable.Range(0, 2)
                .Select(k => Train(TinyMarket.Create(), null, options).Artifact.Write(Path.Combine(directory.FullName, $"v{k}")).Digest).ToArray();
            Assert.Equal(digests[0], digests[1]);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_candidate_that_learned_nothing_is_refused_against_a_good_champion()
    {
        var first = TinyMarket.Create();
        var champion = new Champion(Train(first, null).Artifact);
        var longer = TinyMarket.Create(eventsPerUser: 40);
        var idle = Options with { Loop = Options.Loop with { Epochs = 1, LearningRate = 1e-7 }, EaseMaxItems = 0, BlendEvents = 1 };
        var trained = Train(longer, champion, idle);
        Assert.False(trained.Accepted, trained.Why);
        Assert.Contains("champion", trained.Why, StringComparison.Ordinal);
        Assert.True(trained.Metrics["champion_ndcg_10"] > trained.Metrics["ndcg_10"]);
    }

    [Fact]
    public void Fine_tuning_takes_in_new_items_and_users_in_a_fraction_of_a_full_run_and_forgets_nothing()
    {
        // The larger market contains the smaller one: more items in new rings, more users, later events.
        var first = TinyMarket.Create();
        var full = Train(first, null);
        var champion = new Champion(full.Artifact);
        var second = Later(first, TinyMarket.Create(users: 30, items: 48, eventsPerUser: 12, seed: 9));

        var tuned = Train(second, champion, fineTune: true);

        Assert.True(tuned.Accepted, tuned.Why);
        Assert.Equal(48, tuned.Artifact.Items.Length);
        Assert.Equal(1, tuned.Artifact.Manifest.ParentVersion);
        Assert.True(tuned.Metrics["fine-tune_targets"] < full.Metrics["train_targets"] / 2);
        Assert.True(tuned.Metrics["ndcg_10"] >= tuned.Metrics["champion_ndcg_10"] - Options.GateTolerance, tuned.Why);
    }

    [Fact]
    public void Too_few_interactions_are_refused_with_the_setting_named()
    {
        var error = Assert.Throws<NotEnoughDataException>(() => Train(TinyMarket.Create(users: 5, eventsPerUser: 10), null));
        Assert.Contains("50 interactions", error.Message, StringComparison.Ordinal);
        Assert.Contains("MinInteractions is 200", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_shop_of_repeat_buyers_own_counts_are_a_channel_and_repeats_are_judged()
    {
        var trained = Train(TinyMarket.Create(repeatShare: 0.5f), null);
        Assert.Contains(ChannelNames.Personal, trained.Artifact.Manifest.Config.Channels);
        Assert.True(trained.Artifact.Manifest.Config.Encoder!.Copy);
        Assert.False(Train(TinyMarket.Create(repeatShare: 0.5f), null, Options with { CopyRepeats = false }).Artifact.Manifest.Config.Encoder!.Copy);
        Assert.True(trained.Metrics["personal_hr_10"] > 0.5, trained.Why);
    }

    [Fact]
    public void Where_nothing_is_bought_twice_the_item_graph_reaches_the_scores_in_one_hop_unless_it_is_told_off_or_too_large()
    {
        var brief = Options with { Loop = Options.Loop with { Epochs = 1 }, RepeatShare = 2 }; // repeats are never recommended
        int Hops(TrainerOptions options) => Train(TinyMarket.Create(), null, options).Artifact.Manifest.Config.Encoder!.Hops;
        Assert.Equal(1, Hops(brief));
        Assert.Equal(0, Hops(brief with { RepeatShare = 0 }));
        Assert.Equal(2, Hops(brief with { Hops = 2 }));
        Assert.Equal(0, Hops(brief with { Hops = 0 }));
        Assert.Equal(0, Hops(brief with { HopItems = 39 }));
        var error = Assert.Throws<ArgumentException>(() => Hops(brief with { Hops = 1, HopItems = 39 }));
        Assert.Contains("40 items", error.Message, StringComparison.Ordinal);
        Assert.Contains("HopItems 39", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_are_remembered_longer_in_a_shop_and_item_vectors_that_read_them_have_a_say_on_new_items()
    {
        var snapshot = TinyMarket.Create();
        var text = new TextVectors([.. Enumerable.Range(0, snapshot.Items.Length * 4).Select(i => i % 4 == i / 4 % 4 ? 1f : 0f)], 4);
        var brief = Options with { Loop = Options.Loop with { Epochs = 1 } };
        ModelConfig Config(TrainerOptions options, TextVectors? text) => new ModelTrainer(options, EventTypes.Default, NullLogger.Instance)
            .Train(snapshot, text, null, false, 1, null, TestContext.Current.CancellationToken).Artifact.Manifest.Config;
        var reading = brief with { Items = brief.Items with { Text = true } };
        Assert.Equal(0.9f, Config(brief with { RepeatShare = 2 }, text).TextGamma);
        var shop = Config(reading with { RepeatShare = 0 }, text);
        Assert.Equal(0.99f, shop.TextGamma);
        Assert.Contains(ChannelNames.Gnn, shop.NewItems!.Channels!);
        Assert.Null(Config(brief, text).NewItems!.Channels);
        Assert.Null(Config(reading, null).NewItems!.Channels);
        string[] own = [ChannelNames.Trending];
        Assert.Equal(
            own,
            Config(reading with { TextGamma = 0.8f, NewItems = new NewItemsConfig { Channels = own } }, text) is { TextGamma: 0.8f } chosen
                ? chosen.NewItems!.Channels!
                : []);
        Assert.Contains("TextGamma is 2", Assert.Throws<ArgumentException>((brief with { TextGamma = 2 }).Validate).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancelled_run_stops()
    {
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => new ModelTrainer(Options, EventTypes.Default, NullLogger.Instance)
            .Train(TinyMarket.Create(), null, null, false, 1, (_, _, _) => stop.Cancel(), stop.Token));
    }

    private static TrainedModel Train(
        GraphSnapshot snapshot, Champion? champion, TrainerOptions? options = null, bool fineTune = false, TrainProgress? progress = null) =>
        new ModelTrainer(options ?? Options, EventTypes.Default, NullLogger.Instance)
            .Train(snapshot, null, champion, fineTune, champion is null ? 1 : 2, progress, TestContext.Current.CancellationToken);

    private static int[] TopOfUser(RankingModel model, GraphSnapshot snapshot)
    {
        UserEvent[] history = [.. Enumerable.Range(0, snapshot.Count).Where(e => snapshot.User[e] == 0)
            .Select(e => new UserEvent(snapshot.Item[e], snapshot.Type[e], snapshot.Value[e], snapshot.TimeMs[e]))];
        var context = new RankContext { History = history, NowMs = snapshot.TimeMs[^1], Counters = new LiveCounters(), Seen = SeenRule.Repeat };
        return [.. model.Rank(context, 10, new RankWorkspace()).ToArray().Select(r => r.Item)];
    }

    /// <summary>One log after the other: the second's users are new people, its items the first's and more.</summary>
    private static GraphSnapshot Later(GraphSnapshot first, GraphSnapshot second)
    {
        var shift = first.TimeMs[^1] + 1_000 - second.TimeMs[0];
        return second with
        {
            Users = [.. first.Users, .. second.Users.Select(u => "new-" + u)],
            Attributes = [.. first.Attributes!, .. second.Attributes!],
            User = [.. first.User, .. second.User.Select(u => u + first.Users.Length)],
            Item = [.. first.Item, .. second.Item],
            Type = [.. first.Type, .. second.Type],
            Value = [.. first.Value, .. second.Value],
            TimeMs = [.. first.TimeMs, .. second.TimeMs.Select(t => t + shift)],
        };
    }
}
