namespace StreamRec.GraphStore;

/// <summary>The edges of one stretch of arrivals, in both directions.</summary>
internal sealed class LiveSegment
{
    private LiveSegment(EdgePool users, EdgePool items) => (Users, Items) = (users, items);

    /// <summary>By user: item, type, value, time.</summary>
    public EdgePool Users { get; }

    /// <summary>By item: user.</summary>
    public EdgePool Items { get; }

    public int Tag { get; set; }

    /// <summary>Edges ever added: when it reaches the segment's size the segment is frozen.</summary>
    public int Added { get; set; }

    /// <summary>Added less erased.</summary>
    public int Live { get; set; }

    public static LiveSegment Growing(int userCells, int itemCells)
        => new(new EdgePool(userCells, withInfo: true, frozen: false), new EdgePool(itemCells, withInfo: false, frozen: false));

    public static LiveSegment Frozen(LiveSegment full)
        => new(new EdgePool(full.Live + 1, withInfo: true, frozen: true), new EdgePool(full.Live + 1, withInfo: false, frozen: true))
        {
            Added = full.Added,
            Live = full.Live,
        };
}
