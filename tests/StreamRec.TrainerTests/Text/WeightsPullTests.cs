using System.Text;
using StreamRec.Model;
using StreamRec.Trainer.Text;

namespace StreamRec.TrainerTests.Text;

public sealed class WeightsPullTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pull").FullName;
    private FaultyHub _hub = null!;

    public async ValueTask InitializeAsync()
    {
        _hub = await FaultyHub.StartAsync();
        var source = Directory.CreateDirectory(Path.Combine(_folder, "source")).FullName;
        var config = new BertConfig { VocabSize = 5, HiddenSize = 16, Layers = 2, Heads = 2, IntermediateSize = 32, MaxPositions = 12 };
        config.Save(Path.Combine(source, "config.json"));
        new WordPieceVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]).Save(Path.Combine(source, "vocab.txt"));
        using (var encoder = new BertEncoder(config))
            SafeTensors.Write(Path.Combine(source, "model.safetensors"), encoder.Export());
        foreach (var file in Directory.GetFiles(source))
            _hub.Files[Path.GetFileName(file)] = await File.ReadAllBytesAsync(file);
        _hub.Files["1_Pooling/config.json"] = Encoding.UTF8.GetBytes("""{"pooling_mode_cls_token": true}""");
    }

    public async ValueTask DisposeAsync()
    {
        await _hub.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task An_encoder_comes_whole_from_one_commit_and_opens()
    {
        var pulled = await PullAsync();
        Assert.Equal(["config.json", "vocab.txt", "1_Pooling/config.json", "model.safetensors"], pulled.Select(f => f.Name));
        Assert.All(pulled, f => Assert.True(f.Verified));
        Assert.Empty(Directory.GetFiles(Target, "*.part*", SearchOption.AllDirectories));
        using var encoder = SentenceEncoder.Open(Target);
        Assert.Equal(Pooling.FirstToken, encoder.Pooling);
        Assert.Equal(16, Assert.Single(encoder.Encode(["a a"], ct: TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task A_second_pull_fetches_nothing_and_a_changed_file_only_itself()
    {
        await PullAsync();
        _hub.Asked.Clear();
        await PullAsync();
        Assert.Empty(_hub.Asked);
        _hub.Files["vocab.txt"] = [.. _hub.Files["vocab.txt"], .. "##a\n"u8];
        await PullAsync();
        Assert.Equal("vocab.txt", Assert.Single(_hub.Asked).File);
    }

    [Fact]
    public async Task A_cut_connection_is_gone_on_with_from_the_byte_it_broke_at()
    {
        Fault(FaultyHub.CutAfter(1000), FaultyHub.CutAfter(2000), FaultyHub.Status(503));
        await PullAsync();
        Assert.Equal([0L, 1000, 3000, 3000], WeightsAsked());
        AssertSame();
    }

    [Fact]
    public async Task What_a_killed_pull_left_is_gone_on_with_unless_the_file_has_changed()
    {
        Fault(FaultyHub.CutAfter(1500), FaultyHub.Status(500), FaultyHub.Status(500), FaultyHub.Status(500));
        await Assert.ThrowsAsync<HubException>(() => PullAsync());
        Assert.False(File.Exists(Path.Combine(Target, "model.safetensors")));
        _hub.Asked.Clear();
        await PullAsync();
        Assert.Equal([1500L], WeightsAsked());
        AssertSame();

        File.Delete(Path.Combine(Target, "model.safetensors"));
        Fault(FaultyHub.CutAfter(1500), FaultyHub.Status(500), FaultyHub.Status(500), FaultyHub.Status(500));
        await Assert.ThrowsAsync<HubException>(() => PullAsync());
        _hub.Files["model.safetensors"] = [.. _hub.Files["model.safetensors"].Reverse()];
        _hub.Asked.Clear();
        await PullAsync();
        Assert.Equal([0L], WeightsAsked());
        AssertSame();
    }

    [Fact]
    public async Task A_server_without_ranges_sends_it_all_again()
    {
        _hub.Ranges = false;
        Fault(FaultyHub.CutAfter(1000));
        await PullAsync();
        AssertSame();
    }

    [Fact]
    public async Task Errors_of_the_server_are_waited_out_and_more_of_them_than_allowed_end_the_pull_with_the_last()
    {
        Fault(FaultyHub.Status(500), FaultyHub.Status(429));
        await PullAsync();
        AssertSame();
        File.Delete(Path.Combine(Target, "model.safetensors"));
        Fault(FaultyHub.Status(500), FaultyHub.Status(502), FaultyHub.Status(503));
        var error = await Assert.ThrowsAsync<HubException>(() => PullAsync());
        Assert.Contains("3 tries", error.Message, StringComparison.Ordinal);
        Assert.Contains("503", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_checksum_is_tried_once_more_and_then_refused_with_both_sums()
    {
        Fault(FaultyHub.Garbled());
        await PullAsync();
        AssertSame();
        File.Delete(Path.Combine(Target, "model.safetensors"));
        Fault(FaultyHub.Garbled(), FaultyHub.Garbled());
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => PullAsync());
        Assert.Contains("checksum", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Target, "model.safetensors")));
        Assert.Empty(Directory.GetFiles(Target, "*.part"));
    }

    [Fact]
    public async Task A_missing_file_or_repository_is_named_at_once()
    {
        _hub.Files.Remove("model.safetensors");
        var error = await Assert.ThrowsAsync<HubException>(() => PullAsync());
        Assert.Contains("has no model.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains("404", error.Message, StringComparison.Ordinal);
        Assert.Empty(WeightsAsked());
    }

    [Fact]
    public async Task A_model_of_another_kind_is_refused_before_its_weights_are_fetched()
    {
        _hub.Files["config.json"] = Encoding.UTF8.GetBytes("""{"model_type": "roberta"}""");
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => PullAsync());
        Assert.Contains("roberta", error.Message, StringComparison.Ordinal);
        Assert.Empty(WeightsAsked());
    }

    [Fact]
    public async Task The_token_stays_with_the_endpoint()
    {
        await PullAsync(token: "secret");
        Assert.NotEmpty(_hub.Asked);
        Assert.All(_hub.Asked, asked => Assert.False(asked.Token));
    }

    private string Target => Path.Combine(_folder, "target");

    private Task<IReadOnlyList<PulledFile>> PullAsync(string? token = null) =>
        new WeightsPull(new HubOptions { Endpoint = _hub.Endpoint, Attempts = 3, Backoff = TimeSpan.FromMilliseconds(1), Token = token })
            .PullAsync("acme/encoder", Target, null, TestContext.Current.CancellationToken);

    private void Fault(params Func<Microsoft.AspNetCore.Http.HttpContext, byte[], Task>?[] faults) => _hub.Faults["model.safetensors"] = new(faults);

    private IEnumerable<long> WeightsAsked() => _hub.Asked.Where(a => a.File == "model.safetensors").Select(a => a.From);

    private void AssertSame() => Assert.Equal(_hub.Files["model.safetensors"], File.ReadAllBytes(Path.Combine(Target, "model.safetensors")));
}
