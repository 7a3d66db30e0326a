using System.Text.Json;
using StreamRec.Contracts;

namespace StreamRec.GraphStore;

/// <summary>
/// A snapshot as files any array library reads, for trainers outside: one .npy column per field of the events in time order, ids and catalogue as JSON.
/// <code>
/// graph.json       counts, event types, and how many of the events are for training, validation and judging
/// user.npy         [E] int32, row of users.json           item.npy    [E] int32, row of items.jsonl
/// type.npy         [E] uint8, code of graph.json          value.npy   [E] float32, NaN = none
/// time_ms.npy      [E] int64, Unix milliseconds, ascending
/// edge_index.npy   [2, E'] int64: user and item of the distinct positive pairs among the training events, as PyTorch Geometric and DGL want them
/// users.json       ids                                    items.jsonl items.v1 records, one a line
/// </code>
/// 22 bytes an event, 16 a distinct pair.
/// </summary>
public static class GraphExport
{
    public const int Format = 1;

    /// <param name="snapshot">What to write.</param>
    /// <param name="types">Names, codes and weights; only pairs of positive weight become edges.</param>
    /// <param name="trainEnd">First event that is for validation.</param>
    /// <param name="validEnd">First event that is for judging.</param>
    /// <param name="folder">Created; files of the same names are overwritten, graph.json last.</param>
    /// <returns>Distinct positive pairs written.</returns>
    public static int Write(GraphSnapshot snapshot, EventTypes types, int trainEnd, int validEnd, string folder)
    {
        Directory.CreateDirectory(folder);
        string At(string name) => Path.Combine(folder, name);
        File.Delete(At("graph.json"));
        NpyFile.Write<int>(At("user.npy"), snapshot.User, snapshot.Count);
        NpyFile.Write<int>(At("item.npy"), snapshot.Item, snapshot.Count);
        NpyFile.Write<byte>(At("type.npy"), snapshot.Type, snapshot.Count);
        NpyFile.Write<float>(At("value.npy"), snapshot.Value, snapshot.Count);
        NpyFile.Write<long>(At("time_ms.npy"), snapshot.TimeMs, snapshot.Count);
        var pairs = Pairs(snapshot, types, trainEnd);
        NpyFile.Write<long>(At("edge_index.npy"), pairs, 2, pairs.Length / 2);
        File.WriteAllBytes(At("users.json"), JsonSerializer.SerializeToUtf8Bytes(snapshot.Users));
        using (var items = File.Create(At("items.jsonl")))
        {
            foreach (var item in snapshot.Items)
            {
                items.Write(Json.Encode(item));
                items.WriteByte((byte)'\n');
            }
        }

        var graph = new
        {
            format = Format,
            users = snapshot.Users.Length,
            items = snapshot.Items.Length,
            events = snapshot.Count,
            edges = pairs.Length / 2,
            train_end = trainEnd,
            valid_end = validEnd,
            event_types = types.All.ToDictionary(t => t.Name, t => new { code = t.Code, weight = t.Weight }),
            next_offsets = snapshot.NextOffsets.ToDictionary(o => o.Key.ToString(System.Globalization.CultureInfo.InvariantCulture), o => o.Value),
        };
        File.WriteAllBytes(At("graph.json"), JsonSerializer.SerializeToUtf8Bytes(graph, Indented));
        return pairs.Length / 2;
    }

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static long[] Pairs(GraphSnapshot snapshot, EventTypes types, int trainEnd)
    {
        var distinct = new HashSet<long>();
        for (var e = 0; e < trainEnd; e++)
        {
            if (types.IsPositive(snapshot.Type[e]))
                distinct.Add(((long)snapshot.User[e] << 32) | (uint)snapshot.Item[e]);
        }

        long[] sorted = [.. distinct.Order()];
        var pairs = new long[2 * sorted.Length];
        for (var k = 0; k < sorted.Length; k++)
            (pairs[k], pairs[sorted.Length + k]) = (sorted[k] >> 32, sorted[k] & 0xffffffff);
        return pairs;
    }
}
