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
    // A dead consumer's partitions move within seconds, closed segments are compacted at once, and a 10 MB message gets as far as ingest.
    KafkaSettings = new Dictionary<string, string>
    {
        ["group.min.session.timeout.ms"] = "3000",
        ["log.cleaner.backoff.ms"] = "200",
        ["message.max.bytes"] = "20000000",
    },
})
{
    public override TimeSpan SessionTimeout => TimeSpan.FromSeconds(3);

    public LocalServers Running => Local;
}

/// <summary>Tests that share <see cref="FaultServers"/>.</summary>
[CollectionDefinition(Name)]
public sealed class Faults : ICollectionFixture<FaultServers>
{
    public const string Name = "faults";
}
