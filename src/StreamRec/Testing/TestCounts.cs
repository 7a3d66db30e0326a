using System.Globalization;
using System.Xml.Linq;

namespace StreamRec.Testing;

/// <summary>How many tests passed, failed (errors outside of a test included) and were skipped.</summary>
internal readonly record struct TestCounts(int Passed, int Failed, int Skipped)
{
    public int Ran => Passed + Failed;

    public static TestCounts operator +(TestCounts a, TestCounts b) => new(a.Passed + b.Passed, a.Failed + b.Failed, a.Skipped + b.Skipped);

    /// <summary>The line the whole run ends with.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Passed} passed, {Failed} failed, {Skipped} skipped");

    /// <summary>Reads xunit's v2+ XML results.</summary>
    public static TestCounts Read(XDocument results)
    {
        var all = new TestCounts(0, 0, 0);
        foreach (XElement assembly in results.Descendants("assembly"))
            all += new TestCounts(Number(assembly, "passed"), Number(assembly, "failed") + Number(assembly, "errors"), Number(assembly, "skipped"));
        return all;
    }

    /// <summary>Name and reason of each skipped test.</summary>
    public static IEnumerable<(string Name, string Reason)> Skips(XDocument results) =>
        from test in results.Descendants("test")
        where (string?)test.Attribute("result") == "Skip"
        select ((string?)test.Attribute("name") ?? "?", test.Element("reason")?.Value.Trim() ?? "no reason given");

    private static int Number(XElement element, string name) => (int?)element.Attribute(name) ?? 0;
}
