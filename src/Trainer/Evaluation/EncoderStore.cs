using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// Encoders trained on a prefix of the log, each found again by everything its weights depend on: data, settings, seed. Several evaluations (tasks, protocols,
/// ensembles) then share them, as they would share one model in service.
/// </summary>
internal sealed class EncoderStore(EvaluationSet set, TrainingData data, string? directory, ILogger logger)
{
    /// <summary>
    /// Tensors of the ensemble's encoders as trained on the events before
    /// <paramref name="end"/>; the seconds of those that had to be trained.
    /// </summary>
    public (Dictionary<string, (long[] Shape, float[] Data)> Tensors, double Seconds) Get(
        TrainerOptions options, int end, EvalProgress? progress, CancellationToken cancel)
    {
        var layers = options.Ensemble.Count == 0 ? [options.Items.Layer] : options.Ensemble;
        var all = new Dictionary<string, (long[] Shape, float[] Data)>(StringComparer.Ordinal);
        var seconds = 0.0;
        for (var m = 0; m < layers.Count; m++)
        {
            var own = options with { Ensemble = [], Items = options.Items with { Layer = layers[m] }, Seed = options.Seed + m };
            var stage = $"train {layers[m]} encoder, seed {own.Seed}, {end} events ({KeyOf(own, end)})";
            var (tensors, took) = GetOne(own, end, (fraction, _) => progress?.Invoke(stage, fraction), cancel);
            seconds += took;
            foreach (var (name, tensor) in tensors)
                all[TensorNames.MemberPrefix(m) + name] = tensor;
        }

        return (all, seconds);
    }

    private (Dictionary<string, (long[] Shape, float[] Data)> Tensors, double Seconds) GetOne(
        TrainerOptions options, int end, Action<double, IReadOnlyDictionary<string, double>> progress, CancellationToken cancel)
    {
        var path = directory is null ? null : Path.Combine(directory, $"{set.Name}-{end}-{KeyOf(options, end)}.safetensors");
        if (path is not null && File.Exists(path))
        {
            using var file = SafeTensors.Open(path);
            return (file.Tensors.ToDictionary(t => t.Key, t => (t.Value.Shape, file.ReadFloat32(t.Key)), StringComparer.Ordinal), 0);
        }

        var clock = Stopwatch.StartNew();
        using var encoders = new EncoderFit(options, data, logger, cancel);
        encoders.Start(end);
        encoders.Descend("train", options.Loop, null, progress);
        var tensors = encoders.Export();
        if (path is not null)
        {
            Directory.CreateDirectory(directory!);
            SafeTensors.Write(path + ".tmp", tensors);
            File.Move(path + ".tmp", path, overwrite: true);
        }

        return (tensors, clock.Elapsed.TotalSeconds);
    }

    /// <summary>A digest of everything the weights depend on beside the number of threads.</summary>
    private string KeyOf(TrainerOptions o, int end)
    {
        var loop = o.Loop with { CheckpointPath = null, TensorBoardDirectory = null, MaxSeconds = 0 };
        var text = o.Items.Text && data.Text is { } t
            ? Convert.ToHexString(SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(t.Vectors.AsSpan())))
            : "";
        var settings = JsonSerializer.SerializeToUtf8Bytes(new
        {
            Data = set.Fingerprint(), end, Encoder = o.Encoder with { HopTrust = null },
            o.Items, o.Dropout, o.Gaps, o.Targets,
            o.BatchTokens, o.Precision, o.StepsPerEpoch,
            o.Neighbours, o.MaxCategories, loop, o.Seed,
            Users = data.Attributes.Entries, text, Nearby = o.Encoder.Hops > 0 ? o.Nearby : null,
        });
        return Convert.ToHexStringLower(SHA256.HashData(settings))[..16];
    }
}
