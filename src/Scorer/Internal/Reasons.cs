using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>Why an entry is in a list, in words.</summary>
internal static class Reasons
{
    /// <summary>What stands before the items of the user's own history that an entry rests on.</summary>
    public static string BeforeEvidence(string channel) => channel == ChannelNames.New ? "new, because of " : "because of ";

    /// <summary>Of an entry that rests on no event of the user's own.</summary>
    public static string WithoutEvidence(string channel) => channel switch
    {
        ChannelNames.Popularity => "popular in the last 30 days",
        ChannelNames.Trending => "popular in the last 24 hours",
        ChannelNames.New => "new",
        ChannelNames.Walk => "liked by people with a similar history",
        _ => "fits your recent activity",
    };
}
