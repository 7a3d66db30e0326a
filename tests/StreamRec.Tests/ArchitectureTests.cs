using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace StreamRec.Tests;

/// <summary>The layout rules of ARCHITECTURE.md, read from the project files and sources themselves.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>Which project may reference which. Data goes one way, so the roles never see each other.</summary>
    private static readonly Dictionary<string, string[]> AllowedReferences = new()
    {
        ["Contracts"] = [],
        ["GraphStore"] = ["Contracts"],
        ["Ingest"] = ["Contracts", "GraphStore"],
        ["Model"] = ["Contracts"],
        ["Trainer"] = ["Contracts", "GraphStore", "Model"],
        ["Scorer"] = ["Contracts", "GraphStore", "Model"],
        ["Console"] = ["Contracts", "GraphStore", "Model"],
        ["StreamRec"] = ["Contracts", "GraphStore", "Ingest", "Model", "Trainer", "Scorer", "Console", "Local"],
    };

    /// <summary>Packages that only the named projects may use.</summary>
    private static readonly Dictionary<string, string[]> PackageHomes = new()
    {
        ["TorchSharp-cpu"] = ["Trainer"],
        ["MassTransit"] = ["StreamRec"],
        ["MassTransit.RabbitMQ"] = ["StreamRec"],
        ["Confluent.Kafka"] = ["Ingest", "Scorer", "StreamRec", "Local"],
        ["Npgsql"] = ["GraphStore", "Model", "Local"],
        ["StackExchange.Redis"] = ["GraphStore", "Local"],
    };

    public static TheoryData<string> Projects => [.. AllowedReferences.Keys];

    [Theory, MemberData(nameof(Projects))]
    public void Project_references_only_what_the_table_allows(string project)
    {
        var references = Items(project, "ProjectReference").Select(path => Short(Path.GetFileNameWithoutExtension(path)));
        Assert.Empty(references.Except(AllowedReferences[project]));
    }

    [Theory, MemberData(nameof(Projects))]
    public void Project_uses_only_packages_that_are_at_home_in_it(string project)
    {
        var strays = Items(project, "PackageReference").Where(p => PackageHomes.TryGetValue(p, out var homes) && !homes.Contains(project));
        Assert.Empty(strays);
    }

    [Fact]
    public void Contracts_needs_nothing_but_the_base_class_library()
    {
        Assert.Empty(Items("Contracts", "PackageReference"));
        Assert.Empty(Items("Contracts", "FrameworkReference"));
    }

    [Fact]
    public void Every_project_under_src_is_in_the_table()
    {
        var folders = Directory.EnumerateDirectories(Path.Combine(RepositoryFiles.Root, "src")).Select(d => Path.GetFileName(d)!);
        Assert.Equal(AllowedReferences.Keys.Order(), folders.Order());
    }

    [Fact]
    public void No_source_file_is_longer_than_500_lines()
    {
        var long_ = RepositoryFiles.Sources("src", "infra", "tests").Select(f => (File: f, Lines: File.ReadLines(f).Count())).Where(f => f.Lines > 500);
        Assert.Empty(long_.Select(f => $"{Path.GetRelativePath(RepositoryFiles.Root, f.File)}: {f.Lines} lines"));
    }

    [Fact]
    public void No_source_line_is_longer_than_160_characters()
    {
        var found = RepositoryFiles.Sources("src", "tests").SelectMany(f => File.ReadLines(f).Index()
            .Where(l => l.Item.Length > 160)
            .Select(l => $"{Path.GetRelativePath(RepositoryFiles.Root, f)}:{l.Index + 1}: {l.Item.Length} characters"));
        Assert.Empty(found);
    }

    [Fact]
    public void No_method_is_longer_than_70_lines()
    {
        var found = RepositoryFiles.Sources("src", "infra").SelectMany(f => MethodSpans(f).Where(m => m.Lines > 70)
            .Select(m => $"{Path.GetRelativePath(RepositoryFiles.Root, f)}:{m.Start}: {m.Lines} lines"));
        Assert.Empty(found);
    }

    [Fact]
    public void Log_event_ids_are_unique()
    {
        var ids = RepositoryFiles.Sources("src", "infra")
            .SelectMany(f => LogId().Matches(File.ReadAllText(f)).Select(m => (Id: m.Groups[1].Value, File: Path.GetFileName(f))));
        Assert.Empty(ids.GroupBy(x => x.Id).Where(g => g.Count() > 1).Select(g => $"{g.Key} in {string.Join(", ", g.Select(x => x.File))}"));
    }

    /// <summary>
    /// Bodies of methods, found by layout: a line that is only an opening brace below a header with a parameter list,
    /// to the closing brace of the same indentation.
    /// </summary>
    private static IEnumerable<(int Start, int Lines)> MethodSpans(string file)
    {
        var lines = File.ReadAllLines(file);
        for (var i = 1; i < lines.Length; i++)
        {
            if (lines[i].Trim() != "{" || !MethodHeader().IsMatch(HeaderAbove(lines, i)))
                continue;
            var indent = lines[i].Length - lines[i].TrimStart().Length;
            var end = Array.FindIndex(lines, i + 1, l => l.TrimEnd() == new string(' ', indent) + "}");
            if (end > i)
                yield return (i, end - i + 2);
        }
    }

    /// <summary>The declaration above a brace, which may span lines: upwards until its parentheses balance.</summary>
    private static string HeaderAbove(string[] lines, int brace)
    {
        var header = lines[brace - 1];
        for (var at = brace - 2; at >= 0 && header.Count(c => c == ')') > header.Count(c => c == '('); at--)
            header = lines[at] + " " + header.Trim();
        return header;
    }

    private static IEnumerable<string> Items(string project, string element)
    {
        var file = Path.Combine(RepositoryFiles.Root, "src", project, $"StreamRec.{project}.csproj");
        if (!File.Exists(file))
            file = Path.Combine(RepositoryFiles.Root, "src", project, "StreamRec.csproj");
        return XDocument.Load(file).Descendants(element).Select(e => e.Attribute("Include")!.Value);
    }

    private static string Short(string name) => name == "StreamRec" ? name : name["StreamRec.".Length..];

    [GeneratedRegex(
        @"^\s+(?!.*\b(class|record|struct|interface|new|return|yield|if|while|for|foreach|using|lock|catch|switch|fixed)\b)"
        + @"[\w<>\[\],.?() ]+ \w+(<.*>)?\(.*\)\s*(where .*)?$")]
    private static partial Regex MethodHeader();

    [GeneratedRegex(@"\[LoggerMessage\(\s*(?:EventId\s*=\s*)?(\d+)")]
    private static partial Regex LogId();
}
