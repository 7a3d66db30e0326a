using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using StreamRec.Contracts;

namespace StreamRec.Bench;

/// <summary>Decoding interactions on one core beside <see cref="Utf8JsonReader"/> walking the same bytes.</summary>
internal static class DecodeBench
{
    private const long Now = 1_800_000_000_000;

    public static IEnumerable<BenchResult> Run(int count)
    {
        var events = new BenchEvents(count, 200_000, 50_000);
        var messages = new ArrayBufferWriter<byte>(count * 160);
        var ends = new int[count];
        using (var writer = new InteractionWriter())
        {
            for (var i = 0; i < count; i++)
            {
                events.Write(writer, messages, i);
                ends[i] = messages.WrittenCount;
            }
        }

        var bytes = messages.WrittenMemory;
        // Room for every id: what is allocated then is allocated per event.
        var decoder = new InteractionDecoder(new DecoderOptions { PooledIds = 1 << 18 }, EventTypes.Default);
        Decode(decoder, bytes.Span, ends); // meets every id and warms the code up
        var (walk, decode, allocated) = (double.MaxValue, double.MaxValue, 0L);
        for (var round = 0; round < 3; round++)
        {
            var watch = Stopwatch.StartNew();
            Walk(bytes.Span, ends);
            walk = Math.Min(walk, watch.Elapsed.TotalSeconds);
            var before = GC.GetAllocatedBytesForCurrentThread();
            watch.Restart();
            Decode(decoder, bytes.Span, ends);
            decode = Math.Min(decode, watch.Elapsed.TotalSeconds);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        var shape = $"{events.Shape}, {bytes.Length / count} bytes each";
        yield return BenchResult.Beside("interaction_decode", count / decode, "events/s", count / walk,
            $"InteractionDecoder on one core, {shape}; limit: Utf8JsonReader over every token of the same bytes");
        yield return BenchResult.Alone("interaction_decode_alloc", allocated / (double)count, "bytes/event",
            $"allocated by the decoder once it has met the ids, {shape}");
    }

    private static void Decode(InteractionDecoder decoder, ReadOnlySpan<byte> bytes, int[] ends)
    {
        var start = 0;
        foreach (var end in ends)
        {
            if (decoder.TryDecode(bytes[start..end], default, Now, out _, out var detail) != DeadLetterReason.None)
                throw new InvalidOperationException($"the decoder refused what the writer wrote: {detail}");
            start = end;
        }
    }

    private static void Walk(ReadOnlySpan<byte> bytes, int[] ends)
    {
        var start = 0;
        foreach (var end in ends)
        {
            var reader = new Utf8JsonReader(bytes[start..end]);
            while (reader.Read())
            {
            }

            start = end;
        }
    }
}
