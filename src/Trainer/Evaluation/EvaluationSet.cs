using System.Security.Cryptography;
using System.Text;
using StreamRec.GraphStore;
using StreamRec.Model;
using StreamRec.Trainer.Data;

namespace StreamRec.Trainer.Evaluation;

/// <summary>
/// A data set as the evaluation protocol wants it: events in time order (equal times in file order), users and items numbered by the order the protocol
/// gives, cut at 80 and 90 % of the events. Every item with an event is a candidate.
/// </summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Snapshot">Events, users and items.</param>
/// <param name="Repeats">People come back for the same item: the tasks are then <c>repeat</c> and <c>new</c> instead of <c>exclude</c>.</param>
public sealed record EvaluationSet(string Name, GraphSnapshot Snapshot, bool Repeats)
{
    /// <summary>80 / 10 / 10 by position, integer floor.</summary>
    public TemporalSplit Split { get; } = new(Snapshot.Count * 8 / 10, Snapshot.Count * 9 / 10, Snapshot.Count);

    /// <summary>
    /// What proves that two people cut the same data in the same way: counts, and sha256 over the lines "user TAB item TAB Unix seconds LF" of each part,
    /// sorted bytewise, and of the test part in event order.
    /// </summary>
    public SplitFingerprint Fingerprint()
    {
        var (train, valid) = (Split.TrainEnd, Split.ValidEnd);
        return new SplitFingerprint(
            Snapshot.Count, Snapshot.Users.Length, Snapshot.Items.Length, train, valid - train, Split.End - valid,
            Sha(0, train, sorted: true), Sha(train, valid, sorted: true), Sha(valid, Split.End, sorted: true), Sha(valid, Split.End, sorted: false));
    }

    /// <summary>Name of a task in raw files: the shop's new items are <c>newonly</c> there in the prequential protocols.</summary>
    public string RawTask(EvalProtocol protocol, SeenRule seen) => (protocol, seen) switch
    {
        (EvalProtocol.Temporal, SeenRule.Repeat) => "p1:repeat",
        (EvalProtocol.Temporal, _) => "p1:exclude",
        (_, SeenRule.Repeat) => Prefix(protocol) + "repeat",
        _ => Prefix(protocol) + (Repeats ? "newonly" : "exclude"),
    };

    private static string Prefix(EvalProtocol protocol) => protocol == EvalProtocol.Prequential ? "p2:" : "p2strict:";

    private string Sha(int from, int to, bool sorted)
    {
        var lines = new byte[to - from][];
        for (var e = from; e < to; e++)
        {
            lines[e - from] = Encoding.UTF8.GetBytes(FormattableString.Invariant(
                $"{Snapshot.Users[Snapshot.User[e]]}\t{Snapshot.Items[Snapshot.Item[e]].ItemId}\t{Snapshot.TimeMs[e] / 1000}\n"));
        }

        if (sorted)
            Array.Sort(lines, static (a, b) => a.AsSpan().SequenceCompareTo(b));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var line in lines)
            hash.AppendData(line);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>See <see cref="EvaluationSet.Fingerprint"/>; field names as in the published fingerprints.</summary>
public sealed record SplitFingerprint(
    int Events, int Users, int Items, int Train, int Valid, int Test,
    string TrainSha256Sorted, string ValidSha256Sorted, string TestSha256Sorted, string TestSha256EventOrder);

/// <summary>What is asked, and what may be known when it is.</summary>
public enum EvalProtocol
{
    /// <summary>P1: one list per user at the end of the fit part, judged by everything the user does in the test part.</summary>
    Temporal,

    /// <summary>P2: right before each event, with every earlier line of the log visible.</summary>
    Prequential,

    /// <summary>P2-strict: of the same user only what has a smaller time.</summary>
    PrequentialStrict,
}

/// <summary>The part that is judged.</summary>
public enum EvalSplit
{
    /// <summary>Models know the train part; what settings are chosen by.</summary>
    Valid,

    /// <summary>Models know train and validation part; what is reported.</summary>
    Test,
}
