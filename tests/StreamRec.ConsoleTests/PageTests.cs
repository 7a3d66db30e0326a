using Microsoft.Playwright;
using StreamRec.IntegrationTests;
using Xunit;

namespace StreamRec.ConsoleTests;

/// <summary>The page in a real browser.</summary>
public sealed class PageTests(Servers servers)
{
    private const string Chromium = "/usr/bin/chromium";
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_page_shows_the_graph_the_models_and_a_users_list_with_its_reason()
    {
        await using var console = await ConsoleFixture.StartAsync(
            servers,
            nameof(The_page_shows_the_graph_the_models_and_a_users_list_with_its_reason),
            Cancel);
        using var playwright = await PlaywrightOrSkipAsync();
        await using var browser = await LaunchAsync(playwright);
        var page = await browser.NewPageAsync();
        List<string> errors = [];
        page.PageError += (_, error) => errors.Add(error);
        await page.GotoAsync(console.Url);
        await Assertions.Expect(page.Locator("#health")).ToHaveTextAsync("live");
        await Assertions.Expect(page.Locator("#tiles")).ToContainTextAsync("123");
        await Assertions.Expect(page.Locator("#models tbody tr")).ToHaveCountAsync(2);
        await Assertions.Expect(page.Locator("#models .champion")).ToHaveCountAsync(1);
        await Assertions.Expect(page.Locator("#chart svg")).ToBeVisibleAsync();
        await page.FillAsync("input[name=user]", "anna");
        await page.ClickAsync("#lookup button");
        await Assertions.Expect(page.Locator("#user")).ToContainTextAsync("because of Brown Betty");
        Assert.Empty(errors);
    }

    [Fact]
    public async Task A_rollback_is_confirmed_and_told()
    {
        await using var console = await ConsoleFixture.StartAsync(servers, nameof(A_rollback_is_confirmed_and_told), Cancel);
        using var playwright = await PlaywrightOrSkipAsync();
        await using var browser = await LaunchAsync(playwright);
        var page = await browser.NewPageAsync();
        page.Dialog += (_, dialog) => _ = dialog.AcceptAsync();
        await page.GotoAsync(console.Url);
        await page.ClickAsync("#rollback");
        await Assertions.Expect(page.Locator("#said")).ToHaveTextAsync("rolled back from model 2 to 1");
    }

    private static async Task<IPlaywright> PlaywrightOrSkipAsync()
    {
        Assert.SkipUnless(File.Exists(Chromium), $"needs a browser at {Chromium}: apt-get install chromium");
        Assertions.SetDefaultExpectTimeout(60_000); // a first page on two busy cores takes seconds; the condition ends the wait
        return await Playwright.CreateAsync();
    }

    private static Task<IBrowser> LaunchAsync(IPlaywright playwright) => playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
    {
        ExecutablePath = Chromium,
        Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        Env = OwnHome(),
    });

    /// <summary>
    /// This process's variables with a home below the test program: a browser
    /// writes settings and caches there, and a test leaves no file elsewhere.
    /// </summary>
    private static Dictionary<string, string> OwnHome()
    {
        var home = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "browser-home")).FullName;
        var variables = Environment.GetEnvironmentVariables()
            .Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(v => (string)v.Key, v => (string)v.Value!);
        foreach (var name in (string[])["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"])
            variables[name] = home;
        return variables;
    }
}
