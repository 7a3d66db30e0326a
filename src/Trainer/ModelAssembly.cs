using System.Globalization;
using System.Reflection;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer;

/// <summary>Puts trained encoders, closed-form channels, texts and blend together into one artifact.</summary>
internal sealed class ModelAssembly
{
    private readonly TrainerOptions _options;
    private readonly TrainingData _data;

    /// <param name="options">Settings.</param>
    /// <param name="data">Events and items.</param>
    /// <param name="seen">Repeats make a channel of own counts.</param>
    public ModelAssembly(TrainerOptions options, TrainingData data, SeenRule seen)
    {
        (_options, _data) = (options, data);
        Config = ConfigOf(options, data, seen);
    }

    public ModelConfig Config { get; init; }

    /// <summary>Whether a model of this configuration can go on from the other one's weights.</summary>
    public bool Continues(ModelConfig other) =>
        other.Encoder is { } encoder && Config.Encoder is { } own
        && encoder with { AttributeRows = 0, HopTrust = null } == own with { AttributeRows = 0, HopTrust = null } && other.Members == Config.Members;

    /// <summary>A model whose channels know the events before <paramref name="end"/>.</summary>
    /// <param name="encoders">
    /// Tensors of the graph channel, which have learned the same events; the dictionary is filled with the other channels' tensors.
    /// </param>
    /// <param name="end">First event the model does not know.</param>
    /// <param name="version">For the manifest.</param>
    /// <param name="parent">Version it started from.</param>
    /// <param name="blend">Null leaves the fixed weights.</param>
    /// <param name="metrics">For the manifest.</param>
    /// <param name="cancel">Checked between rows of the fits.</param>
    public ModelArtifact ToArtifact(
        Dictionary<string, (long[] Shape, float[] Data)> encoders, int end, long version,
        long? parent, Blend? blend, IReadOnlyDictionary<string, double> metrics,
        CancellationToken cancel)
    {
        var tensors = encoders;
        ChannelFit.Fit(Config, _data.FitEvents(end), tensors, _options.ThreadCount, cancel);
        if (_data.Text is { } text)
            tensors[TensorNames.ItemText] = ([_data.Log.Items, text.Dim], text.Vectors);
        blend?.Write(tensors);
        DateTimeOffset At(int e) => DateTimeOffset.FromUnixTimeMilliseconds(_data.Log.TimeMs[e]);
        var offsets = _data.Snapshot.NextOffsets.ToDictionary(o => o.Key.ToString(CultureInfo.InvariantCulture), o => o.Value);
        return new ModelArtifact(
            new ModelManifest
            {
                Name = _options.ModelName,
                Version = version,
                CreatedAt = DateTimeOffset.UtcNow,
                ParentVersion = parent,
                CodeVersion = typeof(ModelAssembly).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
                Config = Config,
                Data = new ModelData(At(0), At(end - 1), end, offsets),
                Metrics = metrics,
            },
            _data.ItemIds, tensors);
    }

    private static ModelConfig ConfigOf(TrainerOptions options, TrainingData data, SeenRule seen)
    {
        List<string> channels = [ChannelNames.Gnn, ChannelNames.ItemKnn, ChannelNames.ItemKnnLong, ChannelNames.Nearby];
        if (data.Log.Items <= options.EaseMaxItems)
            channels.AddRange([ChannelNames.Ease, ChannelNames.EaseLong]);
        if (seen == SeenRule.Repeat)
            channels.Add(ChannelNames.Personal);
        channels.AddRange([ChannelNames.Popularity, ChannelNames.Trending, ChannelNames.Markov]);
        if (data.Text is not null)
            channels.Add(ChannelNames.Text);
        return new ModelConfig
        {
            Encoder = options.Encoder with { AttributeRows = data.Attributes.Entries.Count },
            Members = options.Ensemble.Count <= 1 ? null : options.Ensemble.Count,
            UserAttributes = data.Attributes.Entries.Count == 0 ? null : data.Attributes.Entries,
            Channels = channels,
            HalfText = data.Text?.Half ?? false,
            ItemKnn = options.ItemKnn,
            Ease = options.Ease,
            Nearby = options.Nearby,
            TextGamma = options.TextGamma ?? TrainerOptions.DefaultTextGamma(seen == SeenRule.Repeat),
            NewItems = NewItemsOf(options, data),
            EventWeights = ModelConfig.WeightsOf(data.Types),
            Training = TrainingOf(options),
        };
    }

    /// <summary>Without texts the item vectors know nothing of an item that nobody touched.</summary>
    private static NewItemsConfig NewItemsOf(TrainerOptions options, TrainingData data) =>
        options.NewItems.Channels is null && options.Items.Text && data.Text is not null
            ? options.NewItems with { Channels = [.. NewItemsConfig.DefaultChannels, ChannelNames.Gnn] }
            : options.NewItems;

    private static SortedDictionary<string, string> TrainingOf(TrainerOptions options)
    {
        var loop = options.Loop;
        return new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["graph_layer"] = options.Ensemble.Count == 0 ? options.Items.Layer.ToString() : string.Join(", ", options.Ensemble),
            ["graph_layers"] = options.Items.Layers.ToString(CultureInfo.InvariantCulture),
            ["epochs"] = loop.Epochs.ToString(CultureInfo.InvariantCulture),
            ["learning_rate"] = loop.LearningRate.ToString(CultureInfo.InvariantCulture),
            ["seed"] = options.Seed.ToString(CultureInfo.InvariantCulture),
            ["served_weights"] = options.FinalFit ? "train, validation and holdout; judged before the holdout was learned" : "as judged: train part only",
        };
    }
}
