namespace StreamRec.Bench;

/// <summary>What benchmarks tell as they go on: each number once it is known, so that a run that is interrupted keeps what it has.</summary>
/// <param name="say">Receives what is being done.</param>
/// <param name="done">Receives each number.</param>
public sealed class BenchLog(Action<string> say, Action<BenchResult> done)
{
    public void Say(string step) => say(step);

    public void Add(BenchResult result) => done(result);

    public void Add(IEnumerable<BenchResult> results)
    {
        foreach (var result in results)
            done(result);
    }
}
