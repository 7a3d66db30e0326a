namespace StreamRec.GraphStore;

/// <summary>Bounds of a <see cref="LiveGraph"/>. Memory at the bound is about 20 bytes per edge plus 64 bytes per user and per item plus the ids.</summary>
public sealed record LiveGraphOptions
{
    /// <summary>
    /// Edges kept, default 50,000,000. The window is held in 8 segments; a full one makes the oldest go as a whole, so between 7/8 of this
    /// number and all of it is there. Too small and a user's older history is forgotten by the scorer (never by Postgres).
    /// </summary>
    public int MaxEdges { get; init; } = 50_000_000;

    /// <summary>Users that may be interned, default 20,000,000. One more throws: a window that silently ignores people would be worse.</summary>
    public int MaxUsers { get; init; } = 20_000_000;

    /// <summary>Items that may be interned, default 10,000,000.</summary>
    public int MaxItems { get; init; } = 10_000_000;

    internal void Validate()
    {
        if (MaxEdges is < LiveGraph.Slots or > LiveGraph.Slots * NodeHeader.MaxDegree)
            throw new ArgumentOutOfRangeException(nameof(MaxEdges), MaxEdges, $"MaxEdges must be {LiveGraph.Slots}..{LiveGraph.Slots * NodeHeader.MaxDegree}");
        if (MaxUsers < 1)
            throw new ArgumentOutOfRangeException(nameof(MaxUsers), MaxUsers, "MaxUsers must be at least 1");
        if (MaxItems < 1)
            throw new ArgumentOutOfRangeException(nameof(MaxItems), MaxItems, "MaxItems must be at least 1");
    }
}
