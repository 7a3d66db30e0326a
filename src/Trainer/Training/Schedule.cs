namespace StreamRec.Trainer.Training;

/// <summary>Learning rates by step.</summary>
public static class Schedule
{
    /// <summary>
    /// Linear warm-up, then half a cosine (Loshchilov and Hutter, 2017): step i &lt; warm: base·i/warm; else
    /// base·(min + (1−min)·½(1 + cos π(i−warm)/(total−warm))). The first step with warm-up has rate 0.
    /// </summary>
    public static double Cosine(double baseRate, int step, int warm, int total, double minRatio = 0) =>
        step < warm
            ? baseRate * step / warm
            : baseRate * (minRatio + ((1 - minRatio) * Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (step - warm) / Math.Max(1, total - warm))))));

    /// <summary>Linear warm-up, then linear to 0 at <paramref name="total"/>.</summary>
    public static double Linear(double baseRate, int step, int warm, int total) =>
        step < warm ? baseRate * step / warm : baseRate * Math.Max(0, (double)(total - step) / Math.Max(1, total - warm));
}
