using System.Runtime.InteropServices;
using StreamRec.Contracts;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace StreamRec.Trainer.Layers;

/// <summary>
/// Inverted dropout (Srivastava et al., 2014) whose masks on CPU come from a managed generator, 8 elements a step: libtorch without MKL draws one Bernoulli
/// variable at a time (15 ns each, half of the encoder's forward pass). The rate is rounded to 1/256. On other devices it is libtorch's own.
/// One object per model, not thread-safe; the same <see cref="Seed"/> and calls give the same masks.
/// </summary>
public sealed class MaskDropout
{
    private readonly byte[] _random = new byte[4096];
    private readonly float[] _keep = new float[256];
    private ulong _a = 0x9E3779B97F4A7C15, _b = 1;
    private double _rate = double.NaN;

    /// <summary>Starts the masks of one training step.</summary>
    public void Seed(ulong seed) => (_a, _b) = (EventIds.Mix(seed + 0x9E3779B97F4A7C15), EventIds.Mix(seed ^ 0xD1B54A32D192ED03) | 1);

    /// <summary>x with each element zeroed with chance <paramref name="rate"/> and the others scaled by 1/(1−rate); x itself outside training.</summary>
    public Tensor Apply(Tensor x, double rate, bool training)
    {
        if (!training || rate <= 0)
            return x;
        return x.device_type == DeviceType.CPU && x.dtype == ScalarType.Float32 ? x * Mask(x.shape, rate) : F.dropout(x, rate, true);
    }

    private Tensor Mask(long[] shape, double rate)
    {
        SetRate(rate);
        var mask = torch.empty(shape, dtype: ScalarType.Float32);
        var values = MemoryMarshal.Cast<byte, float>(mask.bytes);
        for (var from = 0; from < values.Length; from += _random.Length)
        {
            var part = values[from..Math.Min(values.Length, from + _random.Length)];
            Fill();
            for (var i = 0; i < part.Length; i++)
                part[i] = _keep[_random[i]];
        }

        return mask;
    }

    private void SetRate(double rate)
    {
        if (rate == _rate)
            return;
        _rate = rate;
        var dropped = (int)Math.Round(rate * 256);
        for (var value = 0; value < 256; value++)
            _keep[value] = value < dropped ? 0f : 256f / (256 - dropped);
    }

    /// <summary>xorshift128+ (Vigna, 2014): 8 random bytes a step; every byte of it is good enough for a mask.</summary>
    private void Fill()
    {
        var words = MemoryMarshal.Cast<byte, ulong>(_random.AsSpan());
        var (a, b) = (_a, _b);
        for (var i = 0; i < words.Length; i++)
        {
            var x = a;
            a = b;
            x ^= x << 23;
            b = x ^ b ^ (x >> 17) ^ (b >> 26);
            words[i] = b + a;
        }

        (_a, _b) = (a, b);
    }
}
