using System.Numerics.Tensors;
using StreamRec.Contracts;
using StreamRec.Trainer.Text;

namespace StreamRec.TrainerTests.Text;

public sealed class TextEncoderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("text").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Two kinds of items whose texts share words within a kind only.</summary>
    private static ItemRecord[] Catalogue(int count)
    {
        string[][] themes =
        [
            ["garden", "flower", "seed", "soil", "plant", "spade", "lawn", "rose"],
            ["guitar", "string", "amp", "drum", "song", "bass", "tune", "chord"],
        ];
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(i => new ItemRecord
        {
            ItemId = $"i{i}",
            Title = string.Join(' ', Enumerable.Range(0, 5).Select(_ => themes[i % 2][random.Next(8)])),
            Categories = [i % 2 == 0 ? "outdoor" : "music"],
        })];
    }

    private TextOptions Options(int seed = 1) => new()
    {
        Folder = _folder,
        Pretrain = new PretrainOptions { Steps = 5, BatchTokens = 256, HiddenSize = 16, Layers = 1, VocabularySize = 100, MaxTime = TimeSpan.FromMinutes(5), Seed = seed },
    };

    [Fact]
    public void Pre_training_on_the_catalogue_brings_items_of_one_theme_together()
    {
        var losses = new List<double>();
        var pretrain = new PretrainOptions { Steps = 60, HiddenSize = 32, VocabularySize = 200, MaxTime = TimeSpan.FromMinutes(5) };
        using var encoder = new TextEncoder(Options() with { Pretrain = pretrain });
        var matrix = encoder.EncodeItems(Catalogue(200), new Listener(p => losses.Add(p.Loss)), TestContext.Current.CancellationToken);
        Assert.True(losses.Where(l => !double.IsNaN(l)).Last() < losses[0], "the masked language model learns");
        Assert.Equal((200, 32), (matrix.Rows, matrix.Dimension));
        var own = 0;
        for (var i = 0; i < matrix.Rows; i++)
        {
            Assert.Equal(1, TensorPrimitives.Norm(matrix.Row(i)), 1e-4f);
            var nearest = Enumerable.Range(0, matrix.Rows).Where(j => j != i).OrderByDescending(j => TensorPrimitives.Dot(matrix.Row(i), matrix.Row(j))).Take(10);
            own += nearest.Count(j => j % 2 == i % 2);
        }

        Assert.True(own > 1_800, $"{own} of 2,000 nearest neighbours are of the item's own theme");
    }

    [Fact]
    public void The_same_seed_gives_the_same_encoder_and_another_gives_another()
    {
        string Digest(string folder, int seed)
        {
            using var encoder = new TextEncoder(Options(seed) with { Folder = Path.Combine(_folder, folder) });
            return encoder.EncodeItems(Catalogue(60), ct: TestContext.Current.CancellationToken).EncoderDigest;
        }

        var first = Digest("a", 1);
        Assert.Equal(first, Digest("b", 1));
        Assert.NotEqual(first, Digest("c", 2));
    }

    [Fact]
    public void A_second_run_reads_encoder_and_vectors_from_the_folder()
    {
        var items = Catalogue(60);
        var ct = TestContext.Current.CancellationToken;
        TextMatrix first, second;
        using (var encoder = new TextEncoder(Options()))
            first = encoder.EncodeItems(items, ct: ct);
        var stages = new List<string>();
        using (var encoder = new TextEncoder(Options()))
            second = encoder.EncodeItems([.. items.Reverse()], new Listener(p => stages.Add(p.Stage)), ct);
        Assert.Empty(stages);
        Assert.Equal(first.EncoderDigest, second.EncoderDigest);
        for (var i = 0; i < items.Length; i++)
            Assert.Equal(first.Row(i).ToArray(), second.Row(items.Length - 1 - i).ToArray());
        using var grown = new TextEncoder(Options());
        Assert.NotEqual(first.EncoderDigest, grown.EncodeItems(Catalogue(120), ct: ct).EncoderDigest);
    }

    [Fact]
    public void An_item_without_text_has_a_zero_row()
    {
        using var encoder = new TextEncoder(Options());
        var ct = TestContext.Current.CancellationToken;
        var matrix = encoder.EncodeItems([.. Catalogue(20), new ItemRecord { ItemId = "bare", Title = "  " }], ct: ct);
        Assert.All(matrix.Row(20).ToArray(), value => Assert.Equal(0f, value));
        using var nothing = new TextEncoder(Options() with { Folder = Path.Combine(_folder, "none") });
        Assert.All(nothing.EncodeItems([new ItemRecord { ItemId = "bare" }], ct: ct).Values, value => Assert.Equal(0f, value));
    }

    [Fact]
    public void Missing_weights_are_named_with_their_setting()
    {
        using var encoder = new TextEncoder(Options() with { Weights = Path.Combine(_folder, "nowhere") });
        var message = Assert.Throws<FileNotFoundException>(() => encoder.EncodeItems(Catalogue(2), ct: TestContext.Current.CancellationToken)).Message;
        Assert.Contains("text.weights", message, StringComparison.Ordinal);
        Assert.Contains("nowhere", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_cache_computes_each_text_once_and_survives_a_torn_tail()
    {
        var cache = new TextVectorCache(_folder, "0123456789abcdef0123", 3);
        var computed = new List<string>();
        float[][] Compute(IReadOnlyList<string> texts)
        {
            computed.AddRange(texts);
            return [.. texts.Select(t => new float[] { t.Length, t[0], 1f })];
        }

        cache.GetOrAdd(["one", "three", "one"], Compute);
        Assert.Equal(["one", "three"], computed);
        using (var file = File.Open(cache.FilePath, FileMode.Append))
            file.Write([1, 2, 3, 4, 5]); // a kill in the middle of a record
        var vectors = cache.GetOrAdd(["three", "seven!", "one"], Compute);
        Assert.Equal(["one", "three", "seven!"], computed);
        Assert.Equal([5f, 't', 1f], vectors[0]);
        Assert.Equal([6f, 's', 1f], vectors[1]);
        Assert.Equal(vectors[1], cache.GetOrAdd(["seven!"], Compute)[0]);
        Assert.Equal(3, computed.Count);
    }

    [Fact]
    public void A_cache_at_its_bound_keeps_what_is_in_use()
    {
        var cache = new TextVectorCache(_folder, "0123456789abcdef", 1, maxBytes: 200);
        for (var i = 0; i < 100; i++)
        {
            cache.GetOrAdd([$"text {i}"], texts => [.. texts.Select(_ => new float[] { 1 })]);
            Assert.InRange(new FileInfo(cache.FilePath).Length, 20, 200);
        }
    }

    [Fact]
    public void A_learned_vocabulary_spells_every_word_and_merges_the_frequent_ones()
    {
        string[] texts = ["red rose garden", "red garden spade", "Red wine", "red red tea", "naïve café"];
        var ct = TestContext.Current.CancellationToken;
        var vocabulary = WordPieceTrainer.Train(texts, 400, ct: ct);
        var tokenizer = new WordPieceTokenizer(vocabulary);
        Assert.All(texts, text => Assert.DoesNotContain(vocabulary.Unknown, tokenizer.Encode(text)));
        Assert.NotNull(vocabulary.IdOf("red"));
        Assert.NotNull(vocabulary.IdOf("garden"));
        Assert.Equal(vocabulary.Pieces, WordPieceTrainer.Train(texts, 400, ct: ct).Pieces);
        Assert.Equal(20, WordPieceTrainer.Train(texts, 20, ct: ct).Count);
    }

    private sealed class Listener(Action<TextProgress> action) : IProgress<TextProgress>
    {
        public void Report(TextProgress value) => action(value);
    }
}
