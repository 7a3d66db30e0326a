using StreamRec.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Training;

/// <summary>
/// A run's state after an epoch: weights, AdamW moments, the best weights so far and the random generator, as one safetensors file that
/// replaces the one before atomically. Batches need no state: they are a function of seed and epoch. A run resumed on CPU goes on as if it
/// had not stopped. A file of another model (other shapes) is an error, not a fresh start.
/// </summary>
internal sealed class Checkpoint(string? path, GraphRecommender model, AdamW optimizer, WeightAverage? average)
{
    /// <summary>Next epoch to run: 0 where there is no checkpoint.</summary>
    public int Resume(BestWeights best)
    {
        if (path is null || !File.Exists(path))
            return 0;
        using var file = SafeTensors.Open(path);
        using var scope = torch.NewDisposeScope();
        float[] Read(string name, long[] shape)
        {
            if (!file.Tensors.TryGetValue(name, out var info) || !info.Shape.SequenceEqual(shape))
            {
                throw new InvalidDataException(
                    $"checkpoint {path} is of another model: tensor '{name}' is not [{string.Join(", ", shape)}]; delete the file to start afresh");
            }
            return file.ReadFloat32(name);
        }

        var counters = Read("state.counters", [5]);
        float[][] All(string prefix) => [.. model.Parameters.Select(p => Read(prefix + p.Name, p.Value.shape))];
        Tensor[] Moments(string prefix) =>
        [
            .. model.Parameters.Select((p, i) =>
                torch.tensor(Read(prefix + p.Name, p.Value.shape), p.Value.shape).to(model.Device))
        ];
        model.Restore(All("weight."));
        optimizer.Restore((int)counters[1], Moments("mean."), Moments("square."));
        average?.Restore(Moments("average."));
        best.State = ((int)counters[2], (int)counters[3], counters[4], float.IsNaN(counters[4]) ? null : All("best."));
        var random = file.ReadFloat32("state.random");
        torch.set_rng_state(torch.tensor(Array.ConvertAll(random, x => (byte)x)));
        return (int)counters[0];
    }

    public void Save(int nextEpoch, BestWeights best)
    {
        if (path is null)
            return;
        using var scope = torch.NewDisposeScope();
        var (validations, since, value, weights) = best.State;
        var tensors = new Dictionary<string, (long[], float[])>
        {
            ["state.counters"] = ([5], [nextEpoch, optimizer.Steps, validations, since, (float)value]),
        };
        var random = torch.get_rng_state().data<byte>().ToArray();
        tensors["state.random"] = ([random.Length], Array.ConvertAll(random, x => (float)x));
        var current = model.Save();
        for (var i = 0; i < current.Length; i++)
        {
            var (name, parameter) = model.Parameters[i];
            tensors["weight." + name] = (parameter.shape, current[i]);
            tensors["mean." + name] = (parameter.shape, optimizer.Mean[i].cpu().data<float>().ToArray());
            tensors["square." + name] = (parameter.shape, optimizer.Square[i].cpu().data<float>().ToArray());
            if (average is not null)
                tensors["average." + name] = (parameter.shape, average.Values[i].cpu().data<float>().ToArray());
            if (weights is not null)
                tensors["best." + name] = (parameter.shape, weights[i]);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        SafeTensors.Write(path + ".tmp", tensors);
        File.Move(path + ".tmp", path, overwrite: true);
    }

    /// <summary>A finished run leaves none: the next one starts afresh.</summary>
    public void Delete()
    {
        if (path is not null)
            File.Delete(path);
    }
}
