using StreamRec.Contracts;
using StreamRec.Model;

namespace StreamRec.Tests.Model;

/// <summary>The user encoder written again from its definition: double precision, every position through every block, loops only.</summary>
internal sealed class NaiveEncoder(ModelArtifact artifact)
{
    private readonly EncoderConfig _c = artifact.Manifest.Config.Encoder!;

    public double[]? Encode(ReadOnlySpan<UserEvent> history, long nowMs)
    {
        var kept = new List<UserEvent>();
        foreach (var e in history)
        {
            if (e.Item >= 0 && e.Item < artifact.Items.Length)
                kept.Add(e);
        }

        if (kept.Count == 0)
            return null;
        kept = kept.TakeLast(_c.MaxHistory).ToList();
        var x = new double[kept.Count][];
        for (var t = 0; t < kept.Count; t++)
        {
            var gap = t == 0 ? 0 : TimeBucket(kept[t].TimeMs - kept[t - 1].TimeMs);
            var ask = TimeBucket((t + 1 < kept.Count ? kept[t + 1].TimeMs : nowMs) - kept[t].TimeMs);
            var value = float.IsNaN(kept[t].Value) ? 0 : 1 + (int)Math.Clamp(Math.Round(kept[t].Value), 0, 10);
            x[t] = [.. Enumerable.Range(0, _c.Dim).Select(j =>
                (At("item.vectors", kept[t].Item, j) * Math.Sqrt(_c.Dim)) + At("user.pos", t, j) + At("user.type", kept[t].Type, j)
                + At("user.value", value, j) + At("user.gap", gap, j) + At("user.ask", ask, j))];
        }

        for (var b = 0; b < _c.Blocks; b++)
            x = Block(x, $"user.blocks.{b}.");
        return LayerNorm(x[^1], "user.ln");
    }

    private double[][] Block(double[][] x, string name)
    {
        var normed = x.Select(r => LayerNorm(r, name + "ln1")).ToArray();
        double[][] q = Linear(normed, name + "attn.q"), k = Linear(normed, name + "attn.k"), v = Linear(normed, name + "attn.v");
        var width = _c.Dim / _c.Heads;
        var mixed = x.Select(r => new double[_c.Dim]).ToArray();
        for (var t = 0; t < x.Length; t++)
        {
            for (var h = 0; h < _c.Heads; h++)
            {
                var logits = Enumerable.Range(0, t + 1)
                    .Select(s => Enumerable.Range(h * width, width).Sum(j => q[t][j] * k[s][j]) / Math.Sqrt(width)).ToArray();
                var weights = logits.Select(l => Math.Exp(l - logits.Max())).ToArray();
                for (var j = h * width; j < (h + 1) * width; j++)
                    mixed[t][j] = Enumerable.Range(0, t + 1).Sum(s => weights[s] * v[s][j]) / weights.Sum();
            }
        }

        x = Add(x, Linear(mixed, name + "attn.o"));
        var inner = Linear(x.Select(r => LayerNorm(r, name + "ln2")).ToArray(), name + "ffn.0").Select(r => r.Select(Gelu).ToArray()).ToArray();
        return Add(x, Linear(inner, name + "ffn.1"));
    }

    private double[][] Linear(double[][] x, string name)
    {
        var outputs = (int)artifact.Tensors[name + ".bias"].Shape[0];
        return
        [
            .. x.Select(r => Enumerable.Range(0, outputs).Select(o =>
                At(name + ".bias", 0, o)
                    + r.Select((value, i) => value * At(name + ".weight", o, i)).Sum()).ToArray())
        ];
    }

    private double[] LayerNorm(double[] x, string name)
    {
        var mean = x.Average();
        var variance = x.Average(v => (v - mean) * (v - mean));
        return [.. x.Select((v, j) => ((v - mean) / Math.Sqrt(variance + 1e-5) * At(name + ".weight", 0, j)) + At(name + ".bias", 0, j))];
    }

    private static double[][] Add(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (p, q) => p + q).ToArray())];

    private double At(string name, int row, int column)
    {
        var (shape, data) = artifact.Tensors[name];
        return data[(row * shape[^1]) + column];
    }

    private static int TimeBucket(long ms) => 1 + (int)Math.Min(30, Math.Floor(Math.Log2(1 + Math.Floor(Math.Max(0, ms) / 1000.0))));

    private static double Gelu(double x) => x * 0.5 * (1 + Erf(x / Math.Sqrt(2)));

    /// <summary>Maclaurin series near zero, continued fraction of erfc in the tails: both to double precision.</summary>
    private static double Erf(double x)
    {
        if (x < 0)
            return -Erf(-x);
        if (x < 2.5)
        {
            double term = x, sum = x;
            for (var n = 1; n < 200 && Math.Abs(term) > 1e-18; n++)
            {
                term *= -x * x / n;
                sum += term / ((2 * n) + 1);
            }

            return 2 / Math.Sqrt(Math.PI) * sum;
        }

        double fraction = 0;
        for (var n = 120; n > 0; n--)
            fraction = n / 2.0 / (x + fraction);
        return 1 - (Math.Exp(-x * x) / Math.Sqrt(Math.PI) / (x + fraction));
    }
}
