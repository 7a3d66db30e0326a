using StreamRec.Local;
using Xunit;

namespace StreamRec.IntegrationTests;

/// <summary>
/// Servers that tests may kill, stop and fill up: private whatever the environment names. The collection's tests run one after the other
/// and share one set; each leaves every server running.
/// </summary>
public sealed class FaultServers() : Servers(new LocalServersOptions
{
    Root = LocalPaths.NewRunFolder("faults"),
    UseExternal = false,
    // A dead consumer's partitions move within seconds instead of tens of them.
    KafkaSettings = new Dictionary<string, string> { ["group.min.session.timeout.ms"] = "1000", ["log.cleaner.backoff.ms"] = "200" },
})
{
    public override TimeSpan SessionTimeout => TimeSpan.FromMilliseconds(1500);

    public LocalServers Running => Local;
}

/// <summary>Tests that share <see cref="FaultServers"/>.</summary>
[CollectionDefinition(Name)]
public sealed class Faults : ICollectionFixture<FaultServers>
{
    public const string Name = "faults";
}
