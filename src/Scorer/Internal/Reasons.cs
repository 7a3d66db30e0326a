using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>Reasons of entries that rest on no event of the user's own.</summary>
internal static class Reasons
{
    public static string WithoutEvidence(string channel) => channel switch
    {
        ChannelNames.Popularity => "popular in the last 30 days",
        ChannelNames.Trending => "popular in the last 24 hours",
        ChannelNames.Walk => "liked by people with a similar history",
        _ => "fits your recent activity",
    };
}
