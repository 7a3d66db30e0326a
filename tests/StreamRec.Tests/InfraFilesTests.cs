using System.Globalization;
using System.Text.RegularExpressions;
using StreamRec.Contracts;
using Xunit;

namespace StreamRec.Tests;

/// <summary>Files under infra/ that repeat what the code says must say the same.</summary>
public sealed partial class InfraFilesTests
{
    [Fact]
    public void Topics_yaml_lists_exactly_the_topics_of_the_contract()
    {
        var code = new Topics { Prefix = "" }.All.Select(
            t => Line(
                t.Name, t.Partitions, t.CleanupPolicy,
                (t.Retention ?? t.TombstoneRetention)?.TotalMilliseconds));
        var file = TopicEntry().Matches(Text("infra/topics.yaml")).Select(m => Line(
            m.Groups["name"].Value, int.Parse(m.Groups["partitions"].Value, CultureInfo.InvariantCulture), m.Groups["policy"].Value,
            m.Groups["retention"].Success ? double.Parse(m.Groups["retention"].Value, CultureInfo.InvariantCulture) : null));
        Assert.Equal(code, file);
    }

    [Fact]
    public void Compose_and_infra_local_start_the_same_kafka_image()
    {
        var image = Image().Match(Text("infra/compose.yaml")).Groups[1].Value;
        Assert.Contains($"\"{image}\"", Text("infra/local/DockerKafka.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_compose_image_is_pinned_and_every_service_has_a_health_check()
    {
        var text = Text("infra/compose.yaml");
        var images = AnyImage().Matches(text).Select(m => m.Groups[1].Value).ToArray();
        Assert.Equal(4, images.Length);
        Assert.All(images, image => Assert.Matches(@":\d+\.\d+", image));
        Assert.Equal(images.Length, Regex.Count(text, "healthcheck:"));
    }

    private static string Line(string name, int partitions, string policy, double? retention) =>
        string.Create(CultureInfo.InvariantCulture, $"{name} {partitions} {policy} {retention}");

    private static string Text(string path) => File.ReadAllText(Path.Combine(RepositoryFiles.Root, path));

    [GeneratedRegex(
        @"- name: (?<name>\S+)\s+partitions: (?<partitions>\d+)[^\n]*\s+"
        + @"config: \{ cleanup\.policy: ""?(?<policy>[a-z]+(,[a-z]+)?)""?(, (delete\.)?retention\.ms: (?<retention>\d+))? \}")]
    private static partial Regex TopicEntry();

    [GeneratedRegex(@"image: (apache/kafka:\S+)")]
    private static partial Regex Image();

    [GeneratedRegex(@"image: (\S+)")]
    private static partial Regex AnyImage();
}
