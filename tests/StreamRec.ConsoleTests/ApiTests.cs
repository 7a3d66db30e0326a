using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using StreamRec.IntegrationTests;
using StreamRec.Model;
using Xunit;

namespace StreamRec.ConsoleTests;

public sealed class ApiTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_users_page_has_events_list_and_nothing_of_anybody_else()
    {
        await using var console = await ConsoleFixture.StartAsync(servers, nameof(A_users_page_has_events_list_and_nothing_of_anybody_else), Cancel);
        var anna = await console.Client.GetFromJsonAsync<JsonElement>("/v1/users/anna", Cancel);
        Assert.Equal("teapot", anna.GetProperty("recent")[0].GetProperty("item_id").GetString());
        Assert.Equal("Brown Betty", anna.GetProperty("titles").GetProperty("teapot").GetString()); // what a reason names
        Assert.Equal("cup", anna.GetProperty("list").GetProperty("items")[0].GetProperty("item_id").GetString());
        var stranger = await console.Client.GetAsync("/v1/users/nobody", Cancel);
        Assert.Equal(HttpStatusCode.NotFound, stranger.StatusCode);
    }

    [Fact]
    public async Task A_rollback_puts_the_previous_champion_back_and_a_second_one_is_refused()
    {
        await using var console = await ConsoleFixture.StartAsync(
            servers,
            nameof(A_rollback_puts_the_previous_champion_back_and_a_second_one_is_refused),
            Cancel);
        var first = await console.Client.PostAsync("/v1/models/rollback", null, Cancel);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(1, await console.Registry.ChampionVersionAsync("streamrec", Cancel));
        var second = await console.Client.PostAsync("/v1/models/rollback", null, Cancel);
        Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
    }

    [Fact]
    public async Task Promoting_an_unknown_version_is_a_conflict_that_names_it()
    {
        await using var console = await ConsoleFixture.StartAsync(servers, nameof(Promoting_an_unknown_version_is_a_conflict_that_names_it), Cancel);
        var response = await console.Client.PostAsync("/v1/models/99/promote", null, Cancel);
        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        Assert.Contains("99", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Asking_for_training_writes_the_row_that_a_trainer_takes()
    {
        await using var console = await ConsoleFixture.StartAsync(servers, nameof(Asking_for_training_writes_the_row_that_a_trainer_takes), Cancel);
        var response = await console.Client.PostAsync("/v1/train?fine_tune=true", null, Cancel);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var run = Assert.Single(await console.Registry.Runs.ListAsync(10, Cancel));
        Assert.Equal((RunStatus.Requested, true), (run.Status, run.FineTune));
    }

    [Fact]
    public async Task Probes_answer_and_metrics_are_prometheus_text()
    {
        await using var console = await ConsoleFixture.StartAsync(servers, nameof(Probes_answer_and_metrics_are_prometheus_text), Cancel);
        Assert.Equal("ready", await console.Client.GetStringAsync("/health/ready", Cancel));
        var metrics = await console.Client.GetAsync("/metrics", Cancel);
        Assert.Equal("text/plain", metrics.Content.Headers.ContentType?.MediaType);
    }
}
