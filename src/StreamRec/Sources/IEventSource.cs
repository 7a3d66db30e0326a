using StreamRec.Contracts;

namespace StreamRec.Sources;

/// <summary>
/// A finite input of the pipeline: a catalogue, then what people did with it, in the order it reaches the broker.
/// Implemented by <see cref="MovieLensSource"/>, <see cref="OnlineRetailSource"/>, <see cref="CsvSource"/> and the marketplace simulator.
/// </summary>
public interface IEventSource
{
    /// <summary>The data set's name as given on the command line.</summary>
    string Name { get; }

    /// <summary>Interaction messages <see cref="Read"/> will yield, bad ones and duplicates included; items are not counted.</summary>
    long Count { get; }

    /// <summary>Lines about the input worth showing before it is replayed, such as rows that could not be read; usually empty.</summary>
    IReadOnlyList<string> Notes { get; }

    /// <summary>What is known of the users, in any order; empty where the data set says nothing of them.</summary>
    IReadOnlyList<UserRecord> Users => [];

    /// <summary>
    /// The messages: the catalogue first, then interactions in time order with new or changed items in between.
    /// Lazy; the same source yields the same messages each time it is read.
    /// </summary>
    IEnumerable<SourceMessage> Read();
}

/// <summary>Which topic a message is for.</summary>
public enum SourceTopic
{
    Items,
    Interactions,
}

/// <summary>What must become of a message, as far as the source knows. The demo's summary holds the pipeline to it.</summary>
public enum Fate
{
    /// <summary>Applied to the graph once.</summary>
    Applied,

    /// <summary>The same event_id was sent before: recognised and not applied again.</summary>
    Duplicate,

    /// <summary>Set aside with <see cref="SourceMessage.Reason"/>.</summary>
    DeadLetter,
}

/// <summary>One message as it goes to the broker.</summary>
public readonly record struct SourceMessage
{
    public required SourceTopic Topic { get; init; }

    /// <summary>User id or item id; null for an interaction without a user, which any partition may take.</summary>
    public required string? Key { get; init; }

    /// <summary>The bytes of the value, not necessarily valid JSON.</summary>
    public required byte[] Value { get; init; }

    /// <summary>When it happened, Unix milliseconds UTC; for a bad message the time around it.</summary>
    public required long TimeMs { get; init; }

    public Fate Fate { get; init; }

    /// <summary>Why it will be set aside; None unless <see cref="Fate"/> is <see cref="Fate.DeadLetter"/>.</summary>
    public DeadLetterReason Reason { get; init; }

    /// <summary>What the decoder must make of the value; default where it must make nothing of it.</summary>
    public Interaction Interaction { get; init; }

    /// <summary>The item of a message for <see cref="SourceTopic.Items"/>.</summary>
    public ItemRecord? Item { get; init; }

    /// <summary>What the simulator knows about this event; null from every other source and for events nobody chose (bots, returns).</summary>
    public ChoiceTruth? Truth { get; init; }
}

/// <summary>How an organic event came about: what somebody who knows the generating distribution could have predicted.</summary>
/// <param name="Probability">Of the item that was chosen, given the user's state just before.</param>
/// <param name="OracleRank">1-based place of the chosen item in the order of true probability over available items the user has not seen.</param>
/// <param name="OracleMass">Probability that the choice lies within the oracle's first ten: the expectation of its hit rate at 10 for this event.</param>
public sealed record ChoiceTruth(double Probability, int OracleRank, double OracleMass);
