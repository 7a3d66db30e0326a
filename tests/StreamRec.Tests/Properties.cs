using FsCheck;
using FsCheck.Fluent;

namespace StreamRec.Tests;

/// <summary>How property tests run here: a counter-example fails the test and is printed, success says nothing.</summary>
internal static class Properties
{
    public static readonly Config Quick = Config.QuickThrowOnFailure.WithQuietOnSuccess(true);
}
