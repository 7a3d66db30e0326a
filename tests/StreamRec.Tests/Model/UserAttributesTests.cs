using StreamRec.Model;
using Xunit;

namespace StreamRec.Tests.Model;

public sealed class UserAttributesTests
{
    [Fact]
    public void Shared_values_and_bands_of_numbers_become_rows()
    {
        var users = Enumerable.Range(0, 80).Select(u => new Dictionary<string, string>
        {
            ["age"] = $"{10 + u}", ["gender"] = u % 3 == 0 ? "F" : "M", ["postcode"] = $"P{u}",
        }).ToArray();
        var table = UserAttributes.Learn(users);
        Assert.Equal([.. Enumerable.Range(0, 8).Select(b => $"age>={10 + (b * 10)}"), "gender=M", "gender=F"], table.Entries);
        Assert.Equal([0, 9], table.Encode(users[0]));
        Assert.Equal([3, 8], table.Encode(users[37]));
        Assert.Equal([7], table.Encode(new Dictionary<string, string> { ["age"] = "99", ["gender"] = "?" }));
        Assert.Equal([0], table.Encode(new Dictionary<string, string> { ["age"] = "3" }));
        Assert.Empty(table.Encode(new Dictionary<string, string> { ["age"] = "old" }));
    }

    [Fact]
    public void A_table_read_back_from_its_entries_encodes_alike()
    {
        var users = Enumerable.Range(0, 60)
            .Select(u => new Dictionary<string, string> { ["income"] = $"{u * 1.5:f1}", ["plan"] = u % 2 == 0 ? "a" : "b" })
            .ToArray();
        var table = UserAttributes.Learn(users);
        var again = new UserAttributes(table.Entries);
        Assert.All(users, u => Assert.Equal(table.Encode(u), again.Encode(u)));
        Assert.All(users, u => Assert.Equal(2, table.Encode(u).Length));
    }
}
