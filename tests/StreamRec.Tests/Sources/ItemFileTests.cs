using StreamRec.Contracts;
using StreamRec.Sources;
using Xunit;

namespace StreamRec.Tests.Sources;

public sealed class ItemFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("items").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_csv_and_the_records_of_the_topic_give_the_same_items()
    {
        var csv = Write("items.csv", "item_id,title,categories,text\r\ni1,\"Red, green\",home | garden,\r\ni2,,,long text\r\n");
        var lines = Write(
            "items.jsonl",
            """{"item_id":"i1","title":"Red, green","categories":["home","garden"]}""" + "\n\n"
            + """{"item_id":"i2","text":"long text"}""" + "\n");
        var (a, b) = (ItemFile.Read(csv), ItemFile.Read(lines));
        Assert.Equal(2, a.Count);
        Assert.Equal(b.Select(Form), a.Select(Form));
        Assert.Equal(["home", "garden"], a[0].Categories);
    }

    [Fact]
    public void What_is_no_item_is_named_by_file_and_line()
    {
        Assert.Contains("line 2", Fail(Write("bad.jsonl", """{"item_id":"i1"}""" + "\n{}\n")), StringComparison.Ordinal);
        Assert.Contains("sku", Fail(Write("bad.csv", "sku,title\r\n1,x\r\n")), StringComparison.Ordinal);
        Assert.Contains(".txt", Fail(Write("bad.txt", "x")), StringComparison.Ordinal);
        Assert.Contains("no such file", Fail(Path.Combine(_folder, "none.csv")), StringComparison.Ordinal);
    }

    private static string Form(ItemRecord item) => $"{item.ItemId}|{item.Title}|{item.Text}|{string.Join('/', item.Categories)}";

    private static string Fail(string path) => Assert.Throws<SourceException>(() => ItemFile.Read(path)).Message;

    private string Write(string name, string content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }
}
