using Microsoft.Extensions.Logging;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// A model that goes on learning, as in service: fine-tuned on the events since it last learned, with replay of older ones, and its channels counted anew. The
/// blend stays as it was learned. A model never knows an event it is asked about, nor any after it.
/// </summary>
internal sealed class LearningOn : IDisposable
{
    private readonly TrainingData _data;
    private readonly TrainerOptions _trainer;
    private readonly ModelAssembly _assembly;
    private readonly EncoderFit _encoders;
    private readonly Blend? _blend;
    private readonly CancellationToken _cancel;

    /// <param name="data">Events and items.</param>
    /// <param name="trainer">Settings of the model.</param>
    /// <param name="assembly">Puts the model together.</param>
    /// <param name="encoders">Tensors of the graph channel that has learned the events before <paramref name="end"/>.</param>
    /// <param name="end">First event it has not learned.</param>
    /// <param name="blend">Mix of the channels; null leaves the fixed weights.</param>
    /// <param name="logger">For the trainings.</param>
    /// <param name="cancel">Checked per batch.</param>
    public LearningOn(
        TrainingData data, TrainerOptions trainer, ModelAssembly assembly,
        IReadOnlyDictionary<string, (long[] Shape, float[] Data)> encoders, int end, Blend? blend,
        ILogger logger, CancellationToken cancel)
    {
        (_data, _trainer, _assembly, _blend, _cancel) = (data, trainer, assembly, blend, cancel);
        _encoders = new EncoderFit(trainer, data, logger, cancel);
        _encoders.Start(end);
        _encoders.WarmStart(encoders, [.. Enumerable.Range(0, data.Log.Items)]);
    }

    /// <summary>Learns the events up to <paramref name="end"/>.</summary>
    /// <returns>Seconds of the descent.</returns>
    public double Learn(int end)
    {
        var known = _encoders.End;
        if (end <= known)
            return 0;
        _encoders.Extend(end);
        return _encoders.Descend("fine-tune", _trainer.FineTuneLoop(known), null, null).Seconds;
    }

    /// <summary>The model as it is now.</summary>
    public RankingModel Model()
    {
        var model = RankingModel.From(_assembly.ToArtifact(_encoders.Export(), _encoders.End, 1, null, null, new Dictionary<string, double>(), _cancel));
        return _blend is null ? model : model.With(_blend);
    }

    /// <summary>Ranks of the events' items, the model learning whatever came before each stretch of <paramref name="step"/> events of the log.</summary>
    /// <param name="questions">Asks.</param>
    /// <param name="events">Asked events, ascending.</param>
    /// <param name="step">Events between two lessons.</param>
    /// <param name="channels">Channels to judge beside the blend.</param>
    /// <param name="progress">Told the share that is done.</param>
    public Dictionary<string, int[]> Ranks(Prequential questions, int[] events, int step, IReadOnlyList<string> channels, Action<double>? progress)
    {
        var parts = new List<Dictionary<string, int[]>>();
        for (int from = _encoders.End, at = 0; at < events.Length; from += step)
        {
            var to = SequenceSampler.LowerBound(events, from + step);
            Learn(from);
            if (to > at)
                parts.Add(questions.Ranks(Model(), events[at..to], channels, _cancel).Ranks);
            at = to;
            progress?.Invoke((double)at / events.Length);
        }

        return parts.Count == 0 ? [] : parts[0].Keys.ToDictionary(name => name, name => parts.SelectMany(p => p[name]).ToArray(), StringComparer.Ordinal);
    }

    public void Dispose() => _encoders.Dispose();
}
